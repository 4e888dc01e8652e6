// A gateway whose answers the test chooses: HTTP, and a WebSocket after RFC 6455 with unmasked text frames.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { Client } from "../src/index.ts";

const ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export interface Gateway extends AsyncDisposable {
  client: Client;
  url: string;
  /** The messages that clients sent over WebSockets. */
  received: Record<string, unknown>[];
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Starts a gateway.
 *
 * @param answer answers every request.
 * @param connections the frames of each WebSocket in turn. All but the last one break off after their frames.
 */
export async function startGateway(answer: Answer, connections: object[][] = []): Promise<Gateway> {
  const received: Record<string, unknown>[] = [];
  const sockets = new Set<Duplex>();
  const server = createServer(answer);
  server.on("connection", (socket) => sockets.add(socket));
  server.on("upgrade", (request, socket) => {
    const frames = connections.shift() ?? [];
    const key = request.headers["sec-websocket-key"] + ACCEPT;
    const digest = createHash("sha1").update(key).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${digest}\r\n\r\n`,
    );
    socket.on("error", () => {});
    socket.once("data", (data: Buffer) => {
      received.push(JSON.parse(unmasked(data)));
      for (const frame of frames) socket.write(textFrame(JSON.stringify(frame)));
      if (connections.length > 0) socket.destroySoon?.();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { client: new Client({ baseUrl: url }), url, received, [Symbol.asyncDispose]: close };
}

function textFrame(text: string): Buffer {
  const data = Buffer.from(text);
  const head = Buffer.from([0x81, 126, data.length >> 8, data.length & 0xff]);
  return Buffer.concat([head, data]);
}

/** The text of the first frame of a client. */
function unmasked(data: Buffer): string {
  const length = data[1]! & 0x7f;
  const [size, start] = length === 126 ? [data.readUInt16BE(2), 4] : [length, 2];
  const mask = data.subarray(start, start + 4);
  const text = data.subarray(start + 4, start + 4 + size);
  return Buffer.from(text.map((byte, index) => byte ^ mask[index % 4]!)).toString();
}
