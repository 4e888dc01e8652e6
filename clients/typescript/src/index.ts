export { type AudioFrame, decodeAudioFrame } from "./audio-frame.ts";
export { Client, type ClientOptions, type Connection } from "./client.ts";
export { ApiError, JobFailedError } from "./errors.ts";
export { type ConnectionState, EventSocket, type JobListener } from "./event-socket.ts";
export type { FollowOptions } from "./following.ts";
export type {
  AudioChunk,
  AudioConditions,
  AudioSource,
  BuiltPrompt,
  ChildAccepted,
  ClientMessage,
  EditKind,
  Event as JobEvent,
  ExtendRequest,
  GenerateRequest,
  HealthReport,
  JobAccepted,
  JobList,
  JobStatus,
  JobView,
  ModelList,
  ModelReport,
  OutputKind,
  ParsedPrompt,
  ProblemDetails,
  PromptComponents,
  Recipe,
  ReplaceRequest,
  ScoreRequest,
  ServerMessage,
  UploadedFile,
  VaryRequest,
  Vocabulary,
  WaveformPeaks,
} from "./schema.d.ts";
export { parseTime } from "./times.ts";
export type { UploadOptions } from "./upload.ts";
export { verifyWebhook, WebhookError, type WebhookOptions } from "./webhooks.ts";
