export { type AudioFrame, decodeAudioFrame } from "./audio-frame.ts";
export { Client, type ClientOptions, type Connection } from "./client.ts";
export { ApiError } from "./errors.ts";
export { type ConnectionState, EventSocket, type JobListener } from "./event-socket.ts";
export type {
  AudioChunk,
  BuiltPrompt,
  ClientMessage,
  Event as JobEvent,
  GenerateRequest,
  JobAccepted,
  JobList,
  JobStatus,
  JobView,
  ParsedPrompt,
  ProblemDetails,
  PromptComponents,
  Recipe,
  ServerMessage,
  Vocabulary,
  WaveformPeaks,
} from "./schema.d.ts";
