// Writes the client's types from an OpenAPI document on standard input:
//   uv run python -m gateway.http.openapi | npm run generate
import { writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import openapiTypescript, { astToString } from "openapi-typescript";

const target = process.argv[2] ?? new URL("../../../../clients/typescript/src/schema.d.ts", import.meta.url);
const document = JSON.parse(await text(process.stdin));
const nodes = await openapiTypescript(document, {
  rootTypes: true,
  rootTypesNoSchemaPrefix: true,
  defaultNonNullable: false,
});
const header = "/** Generated from the gateway's OpenAPI document with `npm run generate`. Do not edit. */\n\n";
writeFileSync(target, header + astToString(nodes));
