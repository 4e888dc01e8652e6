/** Generated from the gateway's OpenAPI document with `npm run generate`. Do not edit. */

export interface paths {
    "/api/v1/generate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Generate music from a prompt
         * @description The answer is immediate, and from then on the job is safe. Give `prompt`, `components` or `score`. `variations` makes several jobs, accepted together or not at all. With Prefer: wait, the answer comes when they have ended, or when the time is up, and is a whole `JobView`.
         */
        post: operations["generate_generate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/status/{job_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the status of a job
         * @description Poll as often as you like: it is answered from memory. The last three statuses never change.
         */
        get: operations["jobs_status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{job_id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow a job: its events as Server-Sent Events
         * @description First the present state, then every event up to the last one. The `data` of each is an `Event`, its `id` the `seq`. With Last-Event-ID, first the lifecycle events since then; 204 if there will be none.
         */
        get: operations["jobs_events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/download/{job_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Download the audio of a finished job
         * @description A redirect to the store, or with proxy=1 the bytes. 409 until the job has finished; 410 with its recipe once the audio has expired.
         */
        get: operations["download_download"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/download/{job_id}/bundle.zip": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Download all files of a finished job in one folder: audio, outputs and recipe
         * @description The gateway sends the archive itself. Two downloads of the same job are equal, byte for byte.
         */
        get: operations["download_bundle"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/download/{job_id}/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Download another file of a finished job: MIDI, a stem, the waveform's peaks or picture
         * @description `outputs` and `peaks_url` of the status have the paths. A redirect to the store, or with proxy=1 the bytes.
         */
        get: operations["download_download_output"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{job_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Cancel a job; with keep=1, store the audio generated so far; with takes=1, cancel all takes
         * @description The slot of a running job is free within a second. 409 for a finished job; a repeated cancel succeeds.
         */
        delete: operations["jobs_cancel"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List jobs, newest first
         * @description `next_cursor` fetches the next page. With API keys, the list has the jobs of the request's key.
         */
        get: operations["jobs_list_jobs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{job_id}/vary": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make a variation of a take: compose a share of it again
         * @description All else stays: every note of a take with a score, every sample of another. 409 until the take has completed; 422 for what its model cannot do.
         */
        post: operations["jobs_vary"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{job_id}/extend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Extend a take by bars or seconds, at the end or in front
         * @description All else stays: every note of a take with a score, every sample of another. 409 until the take has completed; 422 for what its model cannot do.
         */
        post: operations["jobs_extend"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{job_id}/replace": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Replace a part of a take, of all or of some instruments
         * @description All else stays: every note of a take with a score, every sample of another. 409 until the take has completed; 422 for what its model cannot do.
         */
        post: operations["jobs_replace"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{job_id}/lineage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List all takes that come from the same one
         * @description `parent` makes a tree of the list. At most 1000 are listed.
         */
        get: operations["jobs_lineage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/prompt/build": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Build a prompt from its components
         * @description At least one field is needed. Empty texts and lists count as absent.
         */
        post: operations["prompt_build"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/prompt/parse": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Read a prompt into components for the prompt builder
         * @description The components build a prompt that reads as this one does. Words that no model can follow are `ignored`.
         */
        post: operations["prompt_parse"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/prompt/random": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a random prompt
         * @description A sentence of words that go together, and its parts.
         */
        get: operations["prompt_surprise"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/prompt/vocabulary": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the vocabulary of the prompt builder
         * @description Words for menus. Prompts may use other words.
         */
        get: operations["prompt_vocabulary"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/ws": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * WebSocket: events of jobs as JSON text frames, live audio as binary frames
         * @description The client sends `ClientMessage`, the gateway `ServerMessage` and live audio: the length of its header in four bytes (little-endian), an `AudioChunk` as JSON, and interleaved float32 samples.
         */
        get: operations["websocket_websocket"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List deliveries of webhooks
         * @description Those of the last three days. 404 while webhooks are off.
         */
        get: operations["webhooks_list_deliveries"];
        put?: never;
        /**
         * Deliver an event again, or all of a job that failed
         * @description The answer has all deliveries of the job. 409 if there is nothing to send.
         */
        post: operations["webhooks_send_again"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Web page; with Accept: application/json, a description of the service
         * @description The page loads its script and styles from /assets. The JSON has the paths of the service.
         */
        get: operations["index_index"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/assets/{asset}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a file of the web page
         * @description The page's script and styles, and the licences of what is in them. Each has an ETag.
         */
        get: operations["index_asset"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/docs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The API reference, for browsers
         * @description This document as a page that needs nothing but the gateway.
         */
        get: operations["index_docs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the models that workers serve
         * @description A job of a `loadable` model has a worker load it. Requests may name other published models as well; their jobs wait until a worker serves them.
         */
        get: operations["models_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the health of every component
         * @description 503 only if no job can be accepted; degraded if jobs must wait.
         */
        get: operations["health_health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Readiness: whether the gateway accepts jobs
         * @description For load balancers.
         */
        get: operations["health_ready"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Liveness: whether the process responds
         * @description For supervisors, which restart a process that does not answer.
         */
        get: operations["health_live"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Metrics in the Prometheus text format
         * @description For a Prometheus server to scrape.
         */
        get: operations["health_metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get this OpenAPI document
         * @description For generators of clients. It has an ETag.
         */
        get: operations["openapi_document"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/asyncapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the AsyncAPI document of the WebSocket and of the subjects on NATS
         * @description AsyncAPI 3. It has an ETag.
         */
        get: operations["asyncapi_document"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audio": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Upload a WAV, FLAC, Ogg, MP3 or MIDI file
         * @description The file is the body, or the field `file` of a form. Its content decides its type. At most 64 MiB and ten minutes; it is deleted after as many days as audio is kept.
         */
        post: operations["audio_upload"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audio/{audio_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Describe an uploaded file
         * @description 404 once it has been deleted.
         */
        get: operations["audio_describe"];
        put?: never;
        post?: never;
        /**
         * Delete an uploaded file
         * @description Jobs that were made of it keep their music.
         */
        delete: operations["audio_remove"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * Abilities
         * @description What requests for a model may have. Of a checkpoint folder, only its worker knows.
         */
        Abilities: {
            /** @description Whether it may make MIDI and stems. */
            outputs: boolean;
            /** @description The fields of `audio` that it may take. */
            audio: components["schemas"]["ConditionKind"][];
            /** @description The values of `as` in a `score` that it may take. */
            score: components["schemas"]["ScoreAction"][];
        };
        /**
         * Audio
         * @description A stored audio file. `duration` is in seconds, `size` in bytes, `sha256` of the whole file in hex.
         *
         *     `s3_etag` is the ETag that the store returned for the upload; null in records of earlier versions.
         */
        Audio: {
            key: string;
            size: number;
            duration: number;
            sample_rate: number;
            channels: number;
            sha256: string;
            s3_etag: string | null;
        };
        /**
         * AudioChunk
         * @description The header of one chunk of audio.
         * @example {
         *       "type": "audio",
         *       "job_id": "gen_abc123456789",
         *       "seq": 3,
         *       "attempt": 1,
         *       "first_sample": 48000,
         *       "frames": 16000,
         *       "sample_rate": 32000,
         *       "channels": 1,
         *       "format": "f32le",
         *       "last": false
         *     }
         */
        AudioChunk: {
            /** @constant */
            type: "audio";
            /** @description The job. */
            job_id: string;
            /** @description 0, 1, 2 … within the attempt. */
            seq: number;
            /** @description The job's attempt. A new attempt starts again at `seq` 0 and `first_sample` 0. */
            attempt: number;
            /** @description Where the chunk starts, in frames from the start of the job's audio. */
            first_sample: number;
            /** @description Samples per channel. */
            frames: number;
            /** @description In hertz. */
            sample_rate: number;
            /** @description Number of interleaved channels. */
            channels: number;
            /**
             * @description Of a sample; -1.0 to 1.0 is full scale.
             * @constant
             */
            format: "f32le";
            /** @description Whether this is the attempt's last chunk, which may be empty. */
            last: boolean;
        };
        /**
         * AudioConditions
         * @description What audio a job is conditioned on: exactly one of the fields.
         */
        AudioConditions: {
            /** @description The music goes on from the end of this excerpt, with which the file begins. */
            continue_from?: components["schemas"]["AudioSource"] | null;
            /** @description The music follows the melody of this excerpt. */
            melody?: components["schemas"]["AudioSource"] | null;
        };
        /**
         * AudioFormat
         * @description The format of audio files.
         * @enum {string}
         */
        AudioFormat: "wav" | "flac" | "ogg" | "mp3";
        /**
         * AudioSource
         * @description A part of an uploaded file or of a finished job's audio: exactly one of `audio_id` and `job_id`.
         */
        AudioSource: {
            /** @description Of a file from POST /api/v1/audio. */
            audio_id?: string | null;
            /** @description Of a finished job. */
            job_id?: string | null;
            /** @description In seconds. */
            start?: number | null;
            /** @description In seconds; by default the end of the audio. */
            end?: number | null;
            /** @description Of the excerpt, in a recipe. In a request it must fit what the source holds. */
            sha256?: string | null;
        };
        /**
         * Binary
         * Format: binary
         * @description The bytes of a file.
         */
        Binary: string;
        /**
         * BuiltPrompt
         * @description The sentence, and its parts by field in the order of the sentence.
         * @example {
         *       "structured_prompt": "jazz music, in 3/4, featuring piano and double bass",
         *       "components": {
         *         "genre": "jazz music",
         *         "meter": "in 3/4",
         *         "instruments": "featuring piano and double bass"
         *       }
         *     }
         */
        BuiltPrompt: {
            structured_prompt: string;
            components: {
                [key: string]: string;
            };
        };
        /**
         * ChildAccepted
         * @description The response to a request for a child. `parent` is the job that it is made of.
         * @example {
         *       "job_id": "gen_def123456789",
         *       "status": "queued",
         *       "message": "Generation job started",
         *       "created_at": "2024-12-01T10:00:04.500Z",
         *       "parent": "gen_abc123456789"
         *     }
         */
        ChildAccepted: {
            job_id: string;
            status: components["schemas"]["JobStatus"];
            message: string;
            /** Format: date-time */
            created_at: string;
            takes?: components["schemas"]["RequestedTake"][] | null;
            parent: string;
        };
        /**
         * ClientMessage
         * @description A text frame that the client sends.
         */
        ClientMessage: components["schemas"]["Subscribe"] | components["schemas"]["Unsubscribe"] | components["schemas"]["Ping"];
        /**
         * Complexity
         * @description How many fields a random prompt has.
         * @enum {string}
         */
        Complexity: "simple" | "medium" | "complex";
        /**
         * Component
         * @description The health of one component, and what is wrong with it.
         */
        Component: {
            status: components["schemas"]["Health"];
            message: string;
        };
        /**
         * Composed
         * @description How the bars of a child were composed.
         */
        Composed: {
            /** @description How many were composed. */
            candidates: number;
            /** @description The number of the one in the file, from 1: after it, the model finds what follows most likely. */
            chosen: number;
            /** @description Of each candidate, the mean log-likelihood of a code of the bars that follow; null without any. */
            likelihoods: number[] | null;
            from_seconds: number | null;
            to_seconds: number | null;
            /** @description For how long after that the last composed notes, and those that they replaced, die away. Before mastering, all samples outside of the part and the tail are the parent's. */
            tail_seconds: number | null;
            /** @description Of a child of audio: for how long before `from_seconds`, and before `to_seconds` where old audio follows, old and new audio overlap. All samples outside of that and of the part are the parent's. */
            crossfade_seconds: number | null;
        };
        /**
         * ConditionKind
         * @description How music is conditioned on audio.
         * @enum {string}
         */
        ConditionKind: "continue_from" | "melody";
        /**
         * DeliveryList
         * @description Deliveries: the job that changed last first, and of each job the newest event first.
         */
        DeliveryList: {
            deliveries: components["schemas"]["DeliveryView"][];
        };
        /**
         * DeliveryStatus
         * @description Whether a webhook has arrived.
         * @enum {string}
         */
        DeliveryStatus: "pending" | "delivered" | "failed";
        /**
         * DeliveryView
         * @description The delivery of one event to a webhook.
         */
        DeliveryView: {
            /** @description The header webhook-id; the same for every attempt. */
            id: string;
            job_id: string;
            /** @description Of the event. */
            seq: number;
            /** @description Of the event. */
            type: components["schemas"]["EventType"];
            url: string;
            status: components["schemas"]["DeliveryStatus"];
            /** @description Since the event, or since it was sent again. */
            attempts: number;
            /**
             * Format: date-time
             * @description When the last attempt ended.
             */
            tried_at: string | null;
            /**
             * Format: date-time
             * @description When the next attempt may begin; null unless the delivery is the job's next one.
             */
            next_at: string | null;
            /** @description Of the last answer. */
            http_status: number | null;
            /** @description Why the last attempt got no answer. */
            error: string | null;
        };
        /**
         * Edit
         * @description How a take is made of its parent: of its score, or of its audio if the model writes no score.
         *
         *     With a score, the child can be made again without the parent; with audio, as long as the parent's is stored.
         */
        Edit: {
            /** @description Which edit. */
            kind: components["schemas"]["EditKind"];
            /** @description The parent's job id. */
            parent: string;
            /** @description The parent's. */
            score?: components["schemas"]["StoredScore"] | null;
            from_bar?: number | null;
            to_bar?: number | null;
            /** @description The streams to compose; none means all. */
            streams?: components["schemas"]["StreamName"][];
            /** @description Describes the replaced bars. */
            prompt?: string | null;
            /** @description Of `vary`: the share of bars and streams that are composed; with `audio`, of the take. */
            strength?: number | null;
            /** @description Where `extend` adds bars. */
            at?: components["schemas"]["Place"] | null;
            /** @description Of `play`: General MIDI programs from 0 that replace those of streams. Its `streams` are the only ones to play; none means all. */
            programs?: {
                [key: string]: number;
            };
            /** @description The parent's. */
            audio?: components["schemas"]["ParentAudio"] | null;
            from_seconds?: number | null;
            to_seconds?: number | null;
        };
        /**
         * EditKind
         * @description How a take is made of another one.
         * @enum {string}
         */
        EditKind: "vary" | "extend" | "replace" | "play";
        /**
         * ErrorMessage
         * @description An error in a client message. The connection stays open.
         * @example {
         *       "type": "error",
         *       "detail": "There is no job 'gen_000000000000'.",
         *       "job_id": "gen_000000000000"
         *     }
         */
        ErrorMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "error";
            detail: string;
            job_id?: string | null;
        };
        /**
         * Event
         * @description A change of a job, as sent over WebSocket and on `music.events.<job_id>.<type>`.
         *
         *     `seq` rises with every event of a job: it is the revision of the record that it announces.
         * @example {
         *       "type": "progress",
         *       "job_id": "gen_abc123456789",
         *       "seq": 17,
         *       "status": "processing",
         *       "progress": 0.5,
         *       "message": "Generating",
         *       "at": "2024-12-01T10:00:00.250Z",
         *       "attempts": 1,
         *       "error_message": null,
         *       "audio_url": null,
         *       "file_size": null,
         *       "actual_duration": null,
         *       "outputs": []
         *     }
         */
        Event: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "queued" | "processing" | "progress" | "completed" | "failed" | "cancelled";
            job_id: string;
            seq: number;
            status: components["schemas"]["JobStatus"];
            progress: number;
            message: string;
            /** Format: date-time */
            at: string;
            attempts: number;
            error_message: string | null;
            audio_url: string | null;
            file_size: number | null;
            actual_duration: number | null;
            outputs: components["schemas"]["OutputLink"][];
        };
        /**
         * EventType
         * @description What happened to a job.
         * @enum {string}
         */
        EventType: "queued" | "processing" | "progress" | "completed" | "failed" | "cancelled";
        /**
         * ExtendRequest
         * @description The body of POST /api/v1/jobs/{job_id}/extend: exactly one of `bars` and `seconds`, and any other fields.
         * @example {
         *       "bars": 8
         *     }
         * @example {
         *       "bars": 4,
         *       "at": "start",
         *       "prompt": "drums alone"
         *     }
         */
        ExtendRequest: {
            /** @description How many to add. If the parent ends within a bar, it is completed first. */
            bars?: number | null;
            /** @description How much to add; the nearest number of whole bars where the parent has whole bars, or in front of it. */
            seconds?: number | null;
            /** @description Where to add them; a take without a score only gets longer at its end.; end if absent */
            at?: components["schemas"]["Place"] | null;
            /** @description Describes the composed bars; by default they follow the parent's */
            prompt?: string | null;
            /** @description null for a random seed, which the status then shows */
            seed?: number | null;
            /** @description Outputs besides the audio; only models that write scores have them, such as starter */
            outputs?: components["schemas"]["OutputKind"][] | null;
            /** @description Of the music: in the file's metadata and name */
            title?: string | null;
            /**
             * @description A URL that gets the job's events, signed after Standard Webhooks; https, unless the gateway allows the network
             * @example https://studio.example.com/hooks/music
             */
            webhook?: string | null;
            /** @description The events for the webhook; completed, failed and cancelled if absent */
            webhook_events?: components["schemas"]["JobStatus"][] | null;
        };
        /**
         * FieldError
         * @description An invalid field of a request. Nested fields are written `components.tempo`.
         */
        FieldError: {
            field: string;
            message: string;
        };
        /**
         * GenerateRequest
         * @description The body of POST /api/v1/generate: exactly one of `prompt`, `components` and `score`, and any other fields.
         *
         *     A `score` may have a `prompt` beside it.
         * @example {
         *       "prompt": "piano"
         *     }
         * @example {
         *       "components": {
         *         "genre": "house"
         *       }
         *     }
         * @example {
         *       "prompt": "house with piano",
         *       "bars": 8,
         *       "bpm": 124,
         *       "key": "Am",
         *       "loop": true,
         *       "sample_rate": 48000
         *     }
         * @example {
         *       "components": {
         *         "genre": "jazz",
         *         "instruments": [
         *           "piano",
         *           "double bass"
         *         ],
         *         "meter": "3/4"
         *       },
         *       "duration": 30
         *     }
         * @example {
         *       "prompt": "house with piano",
         *       "negative_prompt": "drums, vocals",
         *       "variations": 3
         *     }
         */
        GenerateRequest: {
            prompt?: string | null;
            components?: components["schemas"]["PromptComponents"] | null;
            /** @description What the music should not be, such as drums, vocals. Models that make audio directly need a cfg_coef above 1 for it */
            negative_prompt?: string | null;
            /** @description Seconds, up to the server's MAX_DURATION */
            duration?: number | null;
            /** @description 1 if absent */
            temperature?: number | null;
            /** @description 0 disables it; 250 if absent */
            top_k?: number | null;
            /** @description Above 0 it replaces top_k; 0 if absent */
            top_p?: number | null;
            cfg_coef?: number | null;
            /** @description null for a random seed, which the status then shows */
            seed?: number | null;
            model?: string | null;
            /** @description int16 if absent */
            sample_format?: components["schemas"]["SampleFormat"] | null;
            /** @description Outputs besides the audio; only models that write scores have them, such as starter */
            outputs?: components["schemas"]["OutputKind"][] | null;
            /** @description Whole bars, in place of duration: the file has exactly their length */
            bars?: number | null;
            /**
             * @description Quarter notes per minute, whatever the meter; may be fractional
             * @example 124
             * @example 92.5
             */
            bpm?: number | null;
            /**
             * @description Meter; the starter plays 3/4, 4/4, 5/4, 6/8, 7/8 and 12/8
             * @example 4/4
             * @example 6/8
             */
            meter?: string | null;
            /**
             * @description Key: A minor, F# major, or short: Am, F#m, Bb
             * @example A minor
             * @example F#m
             * @example Bb
             */
            key?: string | null;
            /** @description The end continues at the start, without a fade */
            loop?: boolean | null;
            /** @description Of the audio and the stems; wav if absent */
            format?: components["schemas"]["AudioFormat"] | null;
            /** @description Of the files, in hertz; null is the model's own */
            sample_rate?: components["schemas"]["SampleRate"] | null;
            /**
             * @description Integrated loudness in LUFS (ITU-R BS.1770); null is as the model made it
             * @example -14
             */
            loudness?: number | null;
            /** @description Of the music: in the file's metadata and name */
            title?: string | null;
            /** @description How many takes: a job for each. The first has `seed`, each other one the seed after the one before; 1 if absent */
            variations?: number | null;
            /**
             * @description A URL that gets the job's events, signed after Standard Webhooks; https, unless the gateway allows the network
             * @example https://studio.example.com/hooks/music
             */
            webhook?: string | null;
            /** @description The events for the webhook; completed, failed and cancelled if absent */
            webhook_events?: components["schemas"]["JobStatus"][] | null;
            /** @description Audio that the music continues, or whose melody it follows */
            audio?: components["schemas"]["AudioConditions"] | null;
            /** @description A MIDI file or another job's score, to work on */
            score?: components["schemas"]["ScoreRequest"] | null;
            /** @description Of the recipe of a child, to make it again */
            edit?: components["schemas"]["Edit"] | null;
            /** @description Workers take more urgent jobs first; by default that of the API key, else normal */
            priority?: components["schemas"]["Priority"] | null;
            /** @description false always generates; true also reuses a stored result of any seed if no seed is given. By default, a stored result is reused only for the same seed */
            cache?: boolean | null;
        };
        /**
         * Genre
         * @description A genre and its typical instruments.
         */
        Genre: {
            name: string;
            instruments: string[];
        };
        /**
         * Health
         * @description The health of a component.
         * @enum {string}
         */
        Health: "healthy" | "degraded" | "unhealthy";
        /**
         * HealthReport
         * @description The body of GET /health. `uptime` is in seconds.
         */
        HealthReport: {
            status: components["schemas"]["Health"];
            version: string;
            uptime: number;
            model_info: components["schemas"]["ServedModels"];
            system_info: components["schemas"]["SystemInfo"];
            components: {
                [key: string]: components["schemas"]["Component"];
            };
            workers: components["schemas"]["WorkerInfo"][];
            queue: components["schemas"]["QueueReport"];
        };
        /**
         * Ignored
         * @description Words of a prompt, as they were written, and why the music does not follow them.
         */
        Ignored: {
            words: string;
            because: string;
        };
        /**
         * Instrument
         * @description An instrument that plays in the music: its General MIDI program from 0, and its MIDI channel from 1.
         */
        Instrument: {
            name: string;
            stream: string;
            program: number | null;
            channel: number | null;
        };
        /**
         * JobAccepted
         * @description The response to POST /api/v1/generate.
         * @example {
         *       "job_id": "gen_abc123456789",
         *       "status": "queued",
         *       "message": "Generation job started",
         *       "created_at": "2024-12-01T10:00:00.125Z"
         *     }
         * @example {
         *       "job_id": "gen_abc123456789",
         *       "status": "queued",
         *       "message": "Generation job started",
         *       "created_at": "2024-12-01T10:00:00.125Z",
         *       "takes": [
         *         {
         *           "job_id": "gen_abc123456789",
         *           "seed": 7
         *         },
         *         {
         *           "job_id": "gen_def123456789",
         *           "seed": 8
         *         }
         *       ]
         *     }
         */
        JobAccepted: {
            /** @description The job; the first one if there are several takes. */
            job_id: string;
            status: components["schemas"]["JobStatus"];
            message: string;
            /** Format: date-time */
            created_at: string;
            /** @description All jobs of the request, this one first; only if it asked for several. With Prefer: wait it may be null. */
            takes?: components["schemas"]["RequestedTake"][] | null;
        };
        /**
         * JobList
         * @description A page of jobs, newest first. `total` counts all matching jobs; `next_cursor` fetches the next page.
         * @example {
         *       "jobs": [
         *         {
         *           "job_id": "gen_abc123456789",
         *           "status": "completed",
         *           "progress": 1,
         *           "message": "Generation completed successfully",
         *           "created_at": "2024-12-01T10:00:00.125Z",
         *           "started_at": "2024-12-01T10:00:00.250Z",
         *           "completed_at": "2024-12-01T10:00:04.500Z",
         *           "error_message": null,
         *           "prompt": "house with piano",
         *           "duration": 15.483870967741936,
         *           "audio_url": "/api/v1/download/gen_abc123456789",
         *           "file_size": 2973000,
         *           "actual_duration": 15.483870967741936,
         *           "model": "starter",
         *           "seed": 7,
         *           "attempts": 1,
         *           "priority": "normal",
         *           "queue_position": null,
         *           "eta_seconds": null,
         *           "recipe": {
         *             "model": "starter",
         *             "prompt": "house with piano",
         *             "duration": 15.483870967741936,
         *             "temperature": 1,
         *             "top_k": 250,
         *             "top_p": 0,
         *             "cfg_coef": 3,
         *             "seed": 7,
         *             "sample_format": "int16",
         *             "outputs": [],
         *             "bars": 8,
         *             "bpm": 124,
         *             "meter": "4/4",
         *             "key": "A minor",
         *             "loop": true,
         *             "format": "wav",
         *             "sample_rate": 48000,
         *             "loudness": null,
         *             "title": null,
         *             "edit": null,
         *             "negative_prompt": null,
         *             "audio": null,
         *             "score": null
         *           },
         *           "audio": {
         *             "key": "jobs/gen_abc123456789/audio.wav",
         *             "size": 2973000,
         *             "duration": 15.483870967741936,
         *             "sample_rate": 48000,
         *             "channels": 2,
         *             "sha256": "5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f",
         *             "s3_etag": "9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e"
         *           },
         *           "timings": {
         *             "generating": 3.1,
         *             "encoding": 0.4,
         *             "uploading": 0.1
         *           },
         *           "outputs": [],
         *           "audio_expired": false,
         *           "cached": false,
         *           "warnings": [],
         *           "bpm": 124,
         *           "key": "A minor",
         *           "meter": "4/4",
         *           "bars": 8,
         *           "loop": true,
         *           "sample_rate": 48000,
         *           "format": "wav",
         *           "file_name": "house_with_piano_124bpm_Amin_8bars_gen_abc123456789.wav",
         *           "title": null,
         *           "takes": null,
         *           "measured": {
         *             "bpm": null,
         *             "bpm_confidence": null,
         *             "key": null,
         *             "key_confidence": null,
         *             "lufs": -14,
         *             "true_peak_dbtp": -1,
         *             "downbeats": [],
         *             "gain_db": null
         *           },
         *           "instruments": [
         *             {
         *               "name": "piano",
         *               "stream": "chords",
         *               "program": 0,
         *               "channel": 1
         *             }
         *           ],
         *           "sections": [
         *             {
         *               "name": "verse",
         *               "bar": 1,
         *               "start": 0
         *             }
         *           ],
         *           "understood": [
         *             {
         *               "words": "house",
         *               "as": "house"
         *             },
         *             {
         *               "words": "piano",
         *               "as": "piano"
         *             }
         *           ],
         *           "ignored": [],
         *           "ignored_because": [],
         *           "links": {
         *             "self": "/api/v1/status/gen_abc123456789",
         *             "cancel": null,
         *             "events": "/api/v1/jobs/gen_abc123456789/events",
         *             "audio": "/api/v1/download/gen_abc123456789",
         *             "bundle": "/api/v1/download/gen_abc123456789/bundle.zip"
         *           },
         *           "peaks_url": "/api/v1/download/gen_abc123456789/audio.peaks.json",
         *           "parent": null,
         *           "composed": null,
         *           "cancel_at": null
         *         }
         *       ],
         *       "total": 1,
         *       "next_cursor": null
         *     }
         */
        JobList: {
            jobs: components["schemas"]["JobView"][];
            total: number;
            next_cursor: string | null;
        };
        /**
         * JobStatus
         * @description The status of a job. Terminal ones never change.
         * @enum {string}
         */
        JobStatus: "cancelled" | "completed" | "failed" | "processing" | "queued";
        /**
         * JobView
         * @description A job, in GET /api/v1/status/{job_id} and GET /api/v1/jobs. null is unknown or not there.
         *
         *     Tempo, key, meter and bars are those of the finished music; before that, those of the recipe.
         * @example {
         *       "job_id": "gen_abc123456789",
         *       "status": "completed",
         *       "progress": 1,
         *       "message": "Generation completed successfully",
         *       "created_at": "2024-12-01T10:00:00.125Z",
         *       "started_at": "2024-12-01T10:00:00.250Z",
         *       "completed_at": "2024-12-01T10:00:04.500Z",
         *       "error_message": null,
         *       "prompt": "house with piano",
         *       "duration": 15.483870967741936,
         *       "audio_url": "/api/v1/download/gen_abc123456789",
         *       "file_size": 2973000,
         *       "actual_duration": 15.483870967741936,
         *       "model": "starter",
         *       "seed": 7,
         *       "attempts": 1,
         *       "priority": "normal",
         *       "queue_position": null,
         *       "eta_seconds": null,
         *       "recipe": {
         *         "model": "starter",
         *         "prompt": "house with piano",
         *         "duration": 15.483870967741936,
         *         "temperature": 1,
         *         "top_k": 250,
         *         "top_p": 0,
         *         "cfg_coef": 3,
         *         "seed": 7,
         *         "sample_format": "int16",
         *         "outputs": [],
         *         "bars": 8,
         *         "bpm": 124,
         *         "meter": "4/4",
         *         "key": "A minor",
         *         "loop": true,
         *         "format": "wav",
         *         "sample_rate": 48000,
         *         "loudness": null,
         *         "title": null,
         *         "edit": null,
         *         "negative_prompt": null,
         *         "audio": null,
         *         "score": null
         *       },
         *       "audio": {
         *         "key": "jobs/gen_abc123456789/audio.wav",
         *         "size": 2973000,
         *         "duration": 15.483870967741936,
         *         "sample_rate": 48000,
         *         "channels": 2,
         *         "sha256": "5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f",
         *         "s3_etag": "9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e"
         *       },
         *       "timings": {
         *         "generating": 3.1,
         *         "encoding": 0.4,
         *         "uploading": 0.1
         *       },
         *       "outputs": [],
         *       "audio_expired": false,
         *       "cached": false,
         *       "warnings": [],
         *       "bpm": 124,
         *       "key": "A minor",
         *       "meter": "4/4",
         *       "bars": 8,
         *       "loop": true,
         *       "sample_rate": 48000,
         *       "format": "wav",
         *       "file_name": "house_with_piano_124bpm_Amin_8bars_gen_abc123456789.wav",
         *       "title": null,
         *       "takes": null,
         *       "measured": {
         *         "bpm": null,
         *         "bpm_confidence": null,
         *         "key": null,
         *         "key_confidence": null,
         *         "lufs": -14,
         *         "true_peak_dbtp": -1,
         *         "downbeats": [],
         *         "gain_db": null
         *       },
         *       "instruments": [
         *         {
         *           "name": "piano",
         *           "stream": "chords",
         *           "program": 0,
         *           "channel": 1
         *         }
         *       ],
         *       "sections": [
         *         {
         *           "name": "verse",
         *           "bar": 1,
         *           "start": 0
         *         }
         *       ],
         *       "understood": [
         *         {
         *           "words": "house",
         *           "as": "house"
         *         },
         *         {
         *           "words": "piano",
         *           "as": "piano"
         *         }
         *       ],
         *       "ignored": [],
         *       "ignored_because": [],
         *       "links": {
         *         "self": "/api/v1/status/gen_abc123456789",
         *         "cancel": null,
         *         "events": "/api/v1/jobs/gen_abc123456789/events",
         *         "audio": "/api/v1/download/gen_abc123456789",
         *         "bundle": "/api/v1/download/gen_abc123456789/bundle.zip"
         *       },
         *       "peaks_url": "/api/v1/download/gen_abc123456789/audio.peaks.json",
         *       "parent": null,
         *       "composed": null,
         *       "cancel_at": null
         *     }
         */
        JobView: {
            job_id: string;
            status: components["schemas"]["JobStatus"];
            progress: number;
            message: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            started_at: string | null;
            /** Format: date-time */
            completed_at: string | null;
            error_message: string | null;
            prompt: string;
            duration: number;
            audio_url: string | null;
            file_size: number | null;
            actual_duration: number | null;
            model: string;
            /** @description Of the take in the file; another than the recipe's if that did not fit */
            seed: number;
            attempts: number;
            priority: components["schemas"]["Priority"];
            queue_position: number | null;
            eta_seconds: number | null;
            recipe: components["schemas"]["Recipe"];
            audio: components["schemas"]["Audio"] | null;
            timings: components["schemas"]["Timings"] | null;
            outputs: components["schemas"]["OutputLink"][];
            audio_expired: boolean;
            cached: boolean;
            warnings: string[];
            /** @description Quarter notes per minute */
            bpm: number | null;
            /** @description In the long form, such as A minor */
            key: string | null;
            meter: string | null;
            /** @description Whole bars in the file; null if it ends within one */
            bars: number | null;
            loop: boolean;
            /** @description Of the file, in hertz; null until it is known */
            sample_rate: number | null;
            format: components["schemas"]["AudioFormat"];
            /** @description Of the downloaded audio; null until there is audio */
            file_name: string | null;
            title: string | null;
            /** @description All jobs of a request that asked for several, this one included; else null */
            takes: components["schemas"]["RequestedTake"][] | null;
            /** @description What was measured of the finished audio */
            measured: components["schemas"]["Measured"] | null;
            /** @description Of models that write scores */
            instruments: components["schemas"]["Instrument"][] | null;
            /** @description Of models that write scores */
            sections: components["schemas"]["SectionStart"][] | null;
            /** @description Of models that read the prompt by themselves: its words, and what they were taken for */
            understood: components["schemas"]["Understood"][] | null;
            /** @description Of the same models: the content words that the music does not follow */
            ignored: string[] | null;
            /** @description The same words, each with the reason in plain words; null for jobs of earlier versions */
            ignored_because: components["schemas"]["Ignored"][] | null;
            links: components["schemas"]["Links"];
            /** @description The waveform's peaks, in audiowaveform's JSON layout */
            peaks_url: string | null;
            /** @description The job that this take was made of */
            parent: string | null;
            /** @description How a child's bars were composed */
            composed: components["schemas"]["Composed"] | null;
            /**
             * Format: date-time
             * @description When the job is cancelled unless it has ended: the request's Cancel-After
             */
            cancel_at: string | null;
        };
        /**
         * Lineage
         * @description All takes that come from the same one. `parent` makes a tree of the list; a parent precedes its children.
         * @example {
         *       "job_id": "gen_abc123456789",
         *       "jobs": [
         *         {
         *           "job_id": "gen_abc123456789",
         *           "parent": null,
         *           "kind": null,
         *           "status": "completed",
         *           "created_at": "2024-12-01T10:00:00.125Z",
         *           "seed": 7,
         *           "from_bar": null,
         *           "to_bar": null,
         *           "from_seconds": null,
         *           "to_seconds": null
         *         },
         *         {
         *           "job_id": "gen_def123456789",
         *           "parent": "gen_abc123456789",
         *           "kind": "replace",
         *           "status": "queued",
         *           "created_at": "2024-12-01T10:00:04.500Z",
         *           "seed": 3,
         *           "from_bar": 5,
         *           "to_bar": 8,
         *           "from_seconds": null,
         *           "to_seconds": null
         *         }
         *       ]
         *     }
         */
        Lineage: {
            job_id: string;
            jobs: components["schemas"]["Relative"][];
        };
        /**
         * Links
         * @description Paths on the gateway for one job; null where there is nothing to ask for.
         */
        Links: {
            /** @description The status of the job. */
            self: string;
            /** @description Answers a DELETE, while the job has not ended. */
            cancel: string | null;
            /** @description The events of the job. */
            events: string | null;
            /** @description The audio of the job. */
            audio: string | null;
            /** @description All files of the job. */
            bundle: string | null;
        };
        /**
         * Liveness
         * @description The body of GET /health/live and /health/ready.
         */
        Liveness: {
            status: string;
        };
        /**
         * Measured
         * @description Measurements of a finished job's audio; null is not measured.
         */
        Measured: {
            /** @description Quarter notes per minute. */
            bpm: number | null;
            /** @description 0 to 1. */
            bpm_confidence: number | null;
            /** @description In the long form. */
            key: string | null;
            /** @description 0 to 1. */
            key_confidence: number | null;
            /** @description Integrated loudness after ITU-R BS.1770-4. */
            lufs: number | null;
            /** @description The highest level between the samples, in decibels below full scale. */
            true_peak_dbtp: number | null;
            /** @description First beats of bars, in seconds. */
            downbeats: number[];
            /** @description What mastering added to the level of the engine's audio. */
            gain_db: number | null;
        };
        /**
         * Message
         * @description A confirmation.
         * @example {
         *       "message": "Job cancelled successfully"
         *     }
         */
        Message: {
            message: string;
        };
        /**
         * ModelList
         * @description The body of GET /api/v1/models. `default` is the model of requests that name none.
         */
        ModelList: {
            default: string;
            models: components["schemas"]["ModelReport"][];
        };
        /**
         * ModelReport
         * @description A model that a worker serves.
         */
        ModelReport: {
            name: string;
            /** @description `loaded` if a worker can start its jobs now, `loading`, `loadable` if a job has a worker load it, or `failed` if no worker could load it. */
            state: components["schemas"]["ModelState"];
            /** @description What the worker of that state says. */
            message: string;
            /** @description How many have it loaded. */
            workers: number;
            /** @description How many jobs of it they can run at once. */
            slots: number;
            /** @description How many they run now. */
            busy: number;
            /** @description What its requests may have. */
            abilities: components["schemas"]["Abilities"];
        };
        /**
         * ModelState
         * @description The state of a model at a worker. A loadable one is loaded when a job asks for it.
         * @enum {string}
         */
        ModelState: "failed" | "loadable" | "loaded" | "loading";
        /**
         * OpenApiDocument
         * @description An OpenAPI document.
         */
        OpenApiDocument: {
            [key: string]: unknown;
        };
        /**
         * OutputFileKind
         * @description What a file of a job is, besides the audio.
         * @enum {string}
         */
        OutputFileKind: "midi" | "stem" | "project" | "peaks" | "waveform";
        /**
         * OutputKind
         * @description What a request can ask for in addition to the audio.
         * @enum {string}
         */
        OutputKind: "midi" | "stems";
        /**
         * OutputLink
         * @description An output as clients see it: `download_url` is a path on the gateway; the other fields are as in `Output`.
         */
        OutputLink: {
            kind: components["schemas"]["OutputFileKind"];
            name: string;
            size: number;
            download_url: string;
            instrument: string | null;
            program: number | null;
            gain_db: number | null;
        };
        /**
         * ParentAudio
         * @description The file of a finished take whose model writes no score, of which its children are made.
         *
         *     It is stored for each child by its checksum when the child is accepted.
         */
        ParentAudio: {
            /** @description Of the file, in hex. */
            sha256: string;
            /** @description Of the file, in bytes. */
            size: number;
        };
        /**
         * ParseRequest
         * @description The body of POST /api/v1/prompt/parse.
         * @example {
         *       "prompt": "8 bars of house at 124 bpm in A minor"
         *     }
         */
        ParseRequest: {
            prompt: string;
        };
        /**
         * ParsedPrompt
         * @description A prompt as fields, and how its words were read.
         * @example {
         *       "components": {
         *         "genre": "house",
         *         "bars": 8,
         *         "bpm": 124,
         *         "key": "A minor"
         *       },
         *       "duration": null,
         *       "understood": [
         *         {
         *           "words": "8 bars",
         *           "as": "8 bars"
         *         },
         *         {
         *           "words": "house",
         *           "as": "house"
         *         },
         *         {
         *           "words": "124 bpm",
         *           "as": "124 BPM"
         *         },
         *         {
         *           "words": "A minor",
         *           "as": "A minor"
         *         }
         *       ],
         *       "ignored": [],
         *       "ignored_because": []
         *     }
         */
        ParsedPrompt: {
            /** @description For POST /api/v1/prompt/build. The sentence that it builds reads as the prompt does. What has no field of its own, such as a refusal, is in `custom_text`, and so are words that were not understood, or the whole prompt if none was. */
            components: components["schemas"]["PromptComponents"];
            /** @description In seconds, if the prompt states it. */
            duration: number | null;
            /** @description Words of the prompt and what they were taken for. */
            understood: components["schemas"]["Understood"][];
            /** @description The content words that were not read, or that no model can follow. */
            ignored: string[];
            /** @description The same words, and why. */
            ignored_because: components["schemas"]["Ignored"][];
        };
        /**
         * Ping
         * @description The server replies with a pong.
         * @example {
         *       "type": "ping"
         *     }
         */
        Ping: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "ping";
        };
        /**
         * Place
         * @description Where bars are added.
         * @enum {string}
         */
        Place: "start" | "end";
        /**
         * PlayedScore
         * @description Which score a job works on, and how. A score is known by its content: see shared/note_score.py.
         */
        PlayedScore: {
            /** @description Of the stored score, in hex. */
            sha256: string;
            /** @description What becomes of the score. */
            as?: components["schemas"]["ScoreAction"];
            /** @description The job that it was taken from, if it was. */
            parent?: string | null;
            /** @description General MIDI programs from 0 that replace those of parts. */
            programs?: {
                [key: string]: number;
            };
            /** @description The only parts to use; none means all. */
            instruments?: string[];
        };
        /**
         * Pong
         * @description The reply to a ping.
         * @example {
         *       "type": "pong"
         *     }
         */
        Pong: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "pong";
        };
        /**
         * Priority
         * @description How urgent a job is.
         * @enum {string}
         */
        Priority: "interactive" | "normal" | "batch";
        /**
         * ProblemDetails
         * @description RFC 9457, section 3.1, with `errors` for invalid fields and the `request_id` that the log has too.
         *
         *     `recipe` is a body for POST /api/v1/generate that makes expired or lost audio again.
         * @example {
         *       "title": "Unprocessable Entity",
         *       "status": 422,
         *       "detail": "duration: Expected `float` >= 0.5",
         *       "errors": [
         *         {
         *           "field": "duration",
         *           "message": "Expected `float` >= 0.5"
         *         }
         *       ],
         *       "request_id": "7c1f6a0e4b2d4c9f"
         *     }
         */
        ProblemDetails: {
            type?: string;
            title: string;
            status: number;
            detail: string;
            errors?: components["schemas"]["FieldError"][];
            request_id?: string;
            recipe?: components["schemas"]["Recipe"] | null;
        };
        /**
         * PromptComponents
         * @description The fields of the prompt builder. Empty texts and lists count as not given.
         *
         *     `bpm`, `key` and `meter` become words of the prompt. In POST /api/v1/generate they, `bars` and `loop` also count as the request's own fields of these names.
         * @example {
         *       "genre": "jazz",
         *       "instruments": [
         *         "piano",
         *         "double bass"
         *       ],
         *       "meter": "3/4"
         *     }
         */
        PromptComponents: {
            genre?: string | null;
            tempo?: string | null;
            mood?: string | null;
            instruments?: string[] | null;
            artist_style?: string | null;
            custom_text?: string | null;
            /** @description Whole bars; no part of the sentence */
            bars?: number | null;
            /** @description Quarter notes per minute */
            bpm?: number | null;
            /**
             * @description Meter; the starter plays 3/4, 4/4, 5/4, 6/8, 7/8 and 12/8
             * @example 4/4
             * @example 6/8
             */
            meter?: string | null;
            /**
             * @description Key: A minor, F# major, or short: Am, F#m, Bb
             * @example A minor
             * @example F#m
             * @example Bb
             */
            key?: string | null;
            /** @description The end continues at the start; no part of the sentence */
            loop?: boolean | null;
        };
        /**
         * QueueReport
         * @description The queue: how many jobs wait, and for how many seconds the oldest has waited.
         */
        QueueReport: {
            depth: number;
            oldest_seconds: number;
        };
        /**
         * Recipe
         * @description What to generate. On the same device the same recipe gives the same files; `outputs` do not affect the audio.
         */
        Recipe: {
            model: string;
            prompt: string;
            /** @description In seconds; with `bars` it is their length. */
            duration: number;
            temperature: number;
            top_k: number;
            top_p: number;
            cfg_coef: number;
            seed: number;
            sample_format: components["schemas"]["SampleFormat"];
            outputs: components["schemas"]["OutputKind"][];
            /** @description Whole bars in the file; the recipe then has `bpm` and `meter` as well. */
            bars: number | null;
            /** @description Quarter notes per minute. */
            bpm: number | null;
            /** @description Such as 4/4. */
            meter: string | null;
            /** @description In the long form, such as A minor. */
            key: string | null;
            /** @description The end of the file continues at its start; the recipe then has `bars`. */
            loop: boolean;
            /** @description Of the audio and the stems. */
            format: components["schemas"]["AudioFormat"];
            /** @description Of the files, in hertz; null is the model's. */
            sample_rate: number | null;
            /** @description Integrated loudness of the audio in LUFS; null is as the model made it. */
            loudness: number | null;
            /** @description Of the music, for the file's metadata and name. */
            title: string | null;
            /** @description How the take is made of another one, its parent; null if it is composed as a whole. */
            edit: components["schemas"]["Edit"] | null;
            /** @description What the music should not be. */
            negative_prompt: string | null;
            /** @description What the music is conditioned on. */
            audio: components["schemas"]["AudioConditions"] | null;
            /** @description The notes that the music is made of, and what becomes of them. */
            score: components["schemas"]["PlayedScore"] | null;
        };
        /**
         * Relation
         * @description How a job is made of another one.
         * @enum {string}
         */
        Relation: "vary" | "extend" | "replace" | "play" | "orchestrate" | "accompany" | "continue";
        /**
         * Relative
         * @description A job in a lineage.
         */
        Relative: {
            job_id: string;
            /** @description The job that it was made of; null for a take that was composed as a whole. */
            parent: string | null;
            /** @description How it was made of its parent. */
            kind: components["schemas"]["Relation"] | null;
            /** @description Null if the job is no longer on record. */
            status: components["schemas"]["JobStatus"] | null;
            /** Format: date-time */
            created_at: string | null;
            seed: number | null;
            /** @description The first bar that was replaced. */
            from_bar: number | null;
            /** @description The last bar that was replaced. */
            to_bar: number | null;
            /** @description Of a child of audio: where the new part begins. */
            from_seconds: number | null;
            /** @description Where it ends, if old audio follows. */
            to_seconds: number | null;
        };
        /**
         * ReplaceRequest
         * @description The body of POST /api/v1/jobs/{job_id}/replace: bars or, of a take without a score, seconds; any other fields.
         * @example {
         *       "from_bar": 5,
         *       "to_bar": 8
         *     }
         * @example {
         *       "from_bar": 1,
         *       "to_bar": 8,
         *       "instruments": [
         *         "drums"
         *       ],
         *       "seed": 3
         *     }
         */
        ReplaceRequest: {
            /** @description Counted from 1 */
            from_bar?: number | null;
            /** @description Counted from 1 */
            to_bar?: number | null;
            /** @description In the take */
            from_seconds?: number | null;
            /** @description In the take */
            to_seconds?: number | null;
            /** @description Compose only these: names or streams of the parent's `instruments`. By default all */
            instruments?: string[] | null;
            /** @description Describes the composed bars; by default they follow the parent's */
            prompt?: string | null;
            /** @description null for a random seed, which the status then shows */
            seed?: number | null;
            /** @description Outputs besides the audio; only models that write scores have them, such as starter */
            outputs?: components["schemas"]["OutputKind"][] | null;
            /** @description Of the music: in the file's metadata and name */
            title?: string | null;
            /**
             * @description A URL that gets the job's events, signed after Standard Webhooks; https, unless the gateway allows the network
             * @example https://studio.example.com/hooks/music
             */
            webhook?: string | null;
            /** @description The events for the webhook; completed, failed and cancelled if absent */
            webhook_events?: components["schemas"]["JobStatus"][] | null;
        };
        /**
         * RequestedTake
         * @description One of several jobs that a single request asked for; they differ in their seeds.
         */
        RequestedTake: {
            job_id: string;
            seed: number;
        };
        /**
         * ResendRequest
         * @description The body of POST /api/v1/webhooks/deliveries.
         */
        ResendRequest: {
            /** @description The job. */
            job_id: string;
            /** @description Of the event to send again; without it, all that failed are. */
            seq?: number | null;
        };
        /**
         * SampleFormat
         * @description The format of the samples in a file.
         * @enum {string}
         */
        SampleFormat: "int16" | "int24" | "float32";
        /**
         * SampleRate
         * @description A sample rate of files, in hertz.
         * @enum {integer}
         */
        SampleRate: 44100 | 48000 | 96000;
        /**
         * ScoreAction
         * @description What becomes of a score.
         * @enum {string}
         */
        ScoreAction: "play" | "orchestrate" | "accompany" | "continue";
        /**
         * ScoreRequest
         * @description A score: exactly one of `audio_id`, `job_id` and `sha256`, and any of the other fields.
         */
        ScoreRequest: {
            /** @description Of an uploaded MIDI file. */
            audio_id?: string | null;
            /** @description Of a job that has a score. */
            job_id?: string | null;
            /** @description Of the recipe of a job that worked on a score, to make it again. */
            sha256?: string | null;
            /** @description What to do with it. `play` plays it note for note; the prompt then only names the music. `orchestrate` gives the same notes to the instruments, or to the genre, that the prompt names. `accompany` keeps the notes, and composes the other instruments. `continue` composes what follows the notes.; play if absent */
            as?: components["schemas"]["ScoreAction"] | null;
            /**
             * @description General MIDI programs from 0 for single instruments, by name or stream of the job's `instruments`. The parts of a file are "part 1", "part 2" and so on, or have the names of their tracks.
             * @example {
             *       "lead": 81
             *     }
             */
            programs?: {
                [key: string]: number;
            } | null;
            /** @description The only ones to use, named like those. */
            instruments?: string[] | null;
            /** @description Of the recipe, with `sha256`. */
            parent?: string | null;
        };
        /**
         * SectionStart
         * @description Where a section of the music starts: `bar` counts from 1, `start` is in seconds.
         */
        SectionStart: {
            name: string;
            bar: number;
            start: number;
        };
        /**
         * ServedModels
         * @description The models of the service.
         */
        ServedModels: {
            /** @description The model of requests that name none. */
            default: string;
            /** @description The longest music, in seconds. */
            max_duration: number;
            /** @description The models that a worker has loaded. */
            serving: string[];
            /** @description The models that a worker loads when a job asks for them. */
            loadable: string[];
        };
        /**
         * ServerMessage
         * @description A text frame that the gateway sends.
         */
        ServerMessage: components["schemas"]["Event"] | components["schemas"]["Pong"] | components["schemas"]["ErrorMessage"];
        /**
         * ServiceInfo
         * @description The JSON description of GET /.
         */
        ServiceInfo: {
            service: string;
            version: string;
            status: string;
            endpoints: {
                [key: string]: string;
            };
        };
        /**
         * StoredScore
         * @description The score of a finished take, of which its children are made.
         */
        StoredScore: {
            /** @description Uint16 in little-endian order of shape [8, steps], compressed by zlib. */
            codes: string;
            /** @description Quarter notes per minute, a fraction such as 124 or 185/2. */
            tempo: string;
            /** @description Length of the audio that the engine made, without the tail of a loop. */
            samples: number;
            /** @description The words that the model was given. */
            caption?: string;
            /** @description The number of the first step; negative if bars were added in front. It seeds the humanising, so that the old part sounds as before. */
            first_step?: number;
        };
        /**
         * StreamName
         * @description A stream of a score.
         * @enum {string}
         */
        StreamName: "bass" | "chords" | "pad" | "arpeggio" | "lead" | "drums" | "percussion";
        /**
         * Subscribe
         * @description Subscribe to a job's events. Replaces an earlier subscription to the same job.
         *
         *     `after_seq` requests the lifecycle events after that number. `audio` requests live audio from the beginning of the latest attempt.
         * @example {
         *       "type": "subscribe",
         *       "job_id": "gen_abc123456789",
         *       "after_seq": 17
         *     }
         */
        Subscribe: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "subscribe";
            job_id: string;
            after_seq?: number | null;
            /** @description false if absent */
            audio?: boolean | null;
        };
        /**
         * SystemInfo
         * @description The gateway's machine: CPU use in percent, memory in bytes.
         */
        SystemInfo: {
            platform: string;
            python: string;
            cpu_count: number | null;
            cpu_percent: number;
            memory_total: number;
            memory_available: number;
            process_memory: number;
        };
        /**
         * Tempo
         * @description A tempo word and its range of beats per minute, inclusive.
         */
        Tempo: {
            name: string;
            bpm_min: number;
            bpm_max: number;
        };
        /**
         * Timings
         * @description Duration of each phase of the successful attempt, in seconds.
         */
        Timings: {
            generating: number;
            encoding: number;
            uploading: number;
        };
        /**
         * Understood
         * @description Words of a prompt, as they were written, and what they mean, such as "124 bpm" and "124 BPM".
         */
        Understood: {
            words: string;
            as: string;
        };
        /**
         * Unsubscribe
         * @description Unsubscribe from a job.
         * @example {
         *       "type": "unsubscribe",
         *       "job_id": "gen_abc123456789"
         *     }
         */
        Unsubscribe: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "unsubscribe";
            job_id: string;
        };
        /**
         * UploadFormat
         * @description The format of an uploaded file, by its content.
         * @enum {string}
         */
        UploadFormat: "wav" | "flac" | "ogg" | "mp3" | "mid";
        /**
         * UploadKind
         * @description What an uploaded file holds.
         * @enum {string}
         */
        UploadKind: "audio" | "midi";
        /**
         * UploadedFile
         * @description A file that a client uploaded.
         */
        UploadedFile: {
            audio_id: string;
            /** @description `midi` for the format `mid`. */
            kind: components["schemas"]["UploadKind"];
            /** @description By content; names and content types are ignored. */
            format: components["schemas"]["UploadFormat"];
            /** @description In bytes. */
            size: number;
            /** @description In seconds; of a MIDI file, up to the end of its last event. */
            duration: number;
            /** @description In hertz; null for MIDI. */
            sample_rate: number | null;
            /** @description Null for MIDI. */
            channels: number | null;
            /** @description Of the file, in hex. */
            sha256: string;
            /** Format: date-time */
            created_at: string;
        };
        /**
         * VaryRequest
         * @description The body of POST /api/v1/jobs/{job_id}/vary.
         * @example {
         *       "strength": 0.3
         *     }
         * @example {
         *       "strength": 0,
         *       "outputs": [
         *         "midi",
         *         "stems"
         *       ]
         *     }
         */
        VaryRequest: {
            /** @description The share of bars and instruments that are composed again. 0 renders the same score again, with other `outputs` for instance. Of a take without a score, the share of its length that is new, at its end.; 0.5 if absent */
            strength?: number | null;
            /** @description Compose only these: names or streams of the parent's `instruments`. By default all */
            instruments?: string[] | null;
            /** @description null for a random seed, which the status then shows */
            seed?: number | null;
            /** @description Outputs besides the audio; only models that write scores have them, such as starter */
            outputs?: components["schemas"]["OutputKind"][] | null;
            /** @description Of the music: in the file's metadata and name */
            title?: string | null;
            /**
             * @description A URL that gets the job's events, signed after Standard Webhooks; https, unless the gateway allows the network
             * @example https://studio.example.com/hooks/music
             */
            webhook?: string | null;
            /** @description The events for the webhook; completed, failed and cancelled if absent */
            webhook_events?: components["schemas"]["JobStatus"][] | null;
        };
        /**
         * Vocabulary
         * @description All words that the prompt builder offers.
         */
        Vocabulary: {
            genres: components["schemas"]["Genre"][];
            tempos: components["schemas"]["Tempo"][];
            moods: string[];
            instruments: string[];
        };
        /**
         * WaveformPeaks
         * @description The peaks of a waveform, in the JSON layout of audiowaveform, version 2.
         */
        WaveformPeaks: {
            version: number;
            channels: number;
            /** @description Of the audio, in hertz. */
            sample_rate: number;
            /** @description Frames in a pixel; the last one may have fewer. */
            samples_per_pixel: number;
            /** @description Of each number; full scale is 128 at 8 bits. */
            bits: number;
            /** @description How many pixels there are. */
            length: number;
            /** @description Minimum and maximum of each channel, pixel by pixel. */
            data: number[];
        };
        /**
         * WebhookBody
         * @description The body of a webhook.
         */
        WebhookBody: {
            /** @description `job.` and the type of the event. */
            type: string;
            /** @description When it happened. */
            timestamp: string;
            /** @description The event, as WebSocket clients get it. */
            data: components["schemas"]["Event"];
        };
        /**
         * WorkerInfo
         * @description A worker's announcement on `music.workers.<worker_id>`, every two seconds and at each change.
         *
         *     `models` are all that it serves. `model` is the one that it loads at its start; `engine`, `sample_rate`, `channels` and `checkpoint` describe it. `slots` are those of all loaded models; `busy` counts jobs in them, `running` also those that are being stored.
         */
        WorkerInfo: {
            worker_id: string;
            model: string;
            state: components["schemas"]["WorkerState"];
            message: string;
            device: string | null;
            engine: string | null;
            slots: number;
            busy: number;
            remedy: string | null;
            sample_rate: number | null;
            channels: number | null;
            checkpoint: string | null;
            /** Format: date-time */
            started_at: string;
            version: string;
            running: number;
            models: components["schemas"]["WorkerModel"][];
        };
        /**
         * WorkerModel
         * @description A model in a worker's announcement.
         *
         *     `slots`, `busy` and `memory_bytes` are 0 while it is not loaded; the fields of the engine are null before it was.
         */
        WorkerModel: {
            name: string;
            state: components["schemas"]["ModelState"];
            message: string;
            remedy: string | null;
            slots: number;
            busy: number;
            memory_bytes: number;
            engine: string | null;
            sample_rate: number | null;
            channels: number | null;
            checkpoint: string | null;
        };
        /**
         * WorkerState
         * @description The state of a worker.
         * @enum {string}
         */
        WorkerState: "draining" | "failed" | "loading" | "ready" | "stopping";
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type Abilities = components['schemas']['Abilities'];
export type Audio = components['schemas']['Audio'];
export type AudioChunk = components['schemas']['AudioChunk'];
export type AudioConditions = components['schemas']['AudioConditions'];
export type AudioFormat = components['schemas']['AudioFormat'];
export type AudioSource = components['schemas']['AudioSource'];
export type Binary = components['schemas']['Binary'];
export type BuiltPrompt = components['schemas']['BuiltPrompt'];
export type ChildAccepted = components['schemas']['ChildAccepted'];
export type ClientMessage = components['schemas']['ClientMessage'];
export type Complexity = components['schemas']['Complexity'];
export type Component = components['schemas']['Component'];
export type Composed = components['schemas']['Composed'];
export type ConditionKind = components['schemas']['ConditionKind'];
export type DeliveryList = components['schemas']['DeliveryList'];
export type DeliveryStatus = components['schemas']['DeliveryStatus'];
export type DeliveryView = components['schemas']['DeliveryView'];
export type Edit = components['schemas']['Edit'];
export type EditKind = components['schemas']['EditKind'];
export type ErrorMessage = components['schemas']['ErrorMessage'];
export type Event = components['schemas']['Event'];
export type EventType = components['schemas']['EventType'];
export type ExtendRequest = components['schemas']['ExtendRequest'];
export type FieldError = components['schemas']['FieldError'];
export type GenerateRequest = components['schemas']['GenerateRequest'];
export type Genre = components['schemas']['Genre'];
export type Health = components['schemas']['Health'];
export type HealthReport = components['schemas']['HealthReport'];
export type Ignored = components['schemas']['Ignored'];
export type Instrument = components['schemas']['Instrument'];
export type JobAccepted = components['schemas']['JobAccepted'];
export type JobList = components['schemas']['JobList'];
export type JobStatus = components['schemas']['JobStatus'];
export type JobView = components['schemas']['JobView'];
export type Lineage = components['schemas']['Lineage'];
export type Links = components['schemas']['Links'];
export type Liveness = components['schemas']['Liveness'];
export type Measured = components['schemas']['Measured'];
export type Message = components['schemas']['Message'];
export type ModelList = components['schemas']['ModelList'];
export type ModelReport = components['schemas']['ModelReport'];
export type ModelState = components['schemas']['ModelState'];
export type OpenApiDocument = components['schemas']['OpenApiDocument'];
export type OutputFileKind = components['schemas']['OutputFileKind'];
export type OutputKind = components['schemas']['OutputKind'];
export type OutputLink = components['schemas']['OutputLink'];
export type ParentAudio = components['schemas']['ParentAudio'];
export type ParseRequest = components['schemas']['ParseRequest'];
export type ParsedPrompt = components['schemas']['ParsedPrompt'];
export type Ping = components['schemas']['Ping'];
export type Place = components['schemas']['Place'];
export type PlayedScore = components['schemas']['PlayedScore'];
export type Pong = components['schemas']['Pong'];
export type Priority = components['schemas']['Priority'];
export type ProblemDetails = components['schemas']['ProblemDetails'];
export type PromptComponents = components['schemas']['PromptComponents'];
export type QueueReport = components['schemas']['QueueReport'];
export type Recipe = components['schemas']['Recipe'];
export type Relation = components['schemas']['Relation'];
export type Relative = components['schemas']['Relative'];
export type ReplaceRequest = components['schemas']['ReplaceRequest'];
export type RequestedTake = components['schemas']['RequestedTake'];
export type ResendRequest = components['schemas']['ResendRequest'];
export type SampleFormat = components['schemas']['SampleFormat'];
export type SampleRate = components['schemas']['SampleRate'];
export type ScoreAction = components['schemas']['ScoreAction'];
export type ScoreRequest = components['schemas']['ScoreRequest'];
export type SectionStart = components['schemas']['SectionStart'];
export type ServedModels = components['schemas']['ServedModels'];
export type ServerMessage = components['schemas']['ServerMessage'];
export type ServiceInfo = components['schemas']['ServiceInfo'];
export type StoredScore = components['schemas']['StoredScore'];
export type StreamName = components['schemas']['StreamName'];
export type Subscribe = components['schemas']['Subscribe'];
export type SystemInfo = components['schemas']['SystemInfo'];
export type Tempo = components['schemas']['Tempo'];
export type Timings = components['schemas']['Timings'];
export type Understood = components['schemas']['Understood'];
export type Unsubscribe = components['schemas']['Unsubscribe'];
export type UploadFormat = components['schemas']['UploadFormat'];
export type UploadKind = components['schemas']['UploadKind'];
export type UploadedFile = components['schemas']['UploadedFile'];
export type VaryRequest = components['schemas']['VaryRequest'];
export type Vocabulary = components['schemas']['Vocabulary'];
export type WaveformPeaks = components['schemas']['WaveformPeaks'];
export type WebhookBody = components['schemas']['WebhookBody'];
export type WorkerInfo = components['schemas']['WorkerInfo'];
export type WorkerModel = components['schemas']['WorkerModel'];
export type WorkerState = components['schemas']['WorkerState'];
export type $defs = Record<string, never>;
export interface operations {
    generate_generate: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeated request with the same key returns the first job. */
                "Idempotency-Key"?: string;
                /** @description With wait=N, the answer comes when the job has ended, after N seconds at most (up to 60). */
                Prefer?: string;
                /** @description Cancels the job unless it has ended by then: from 1s to 86400s. */
                "Cancel-After"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["GenerateRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobAccepted"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Request Timeout */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    jobs_status: {
        parameters: {
            query?: never;
            header?: {
                /** @description Cached ETags; if one is the present one, the response is 304. Of audio: with proxy=1. */
                "If-None-Match"?: string;
            };
            path: {
                /** @description The id of a job. */
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobView"];
                };
            };
            /** @description Not Modified */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    jobs_events: {
        parameters: {
            query?: never;
            header?: {
                /** @description The id of the last event that the client has received; browsers send it by themselves. */
                "Last-Event-ID"?: string;
            };
            path: {
                /** @description The id of a job. */
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    download_download: {
        parameters: {
            query?: {
                /** @description The gateway sends the bytes itself, instead of a redirect to the store. */
                proxy?: boolean;
            };
            header?: {
                /** @description With proxy=1: the requested bytes. */
                Range?: string;
                /** @description With proxy=1: the ETag that Range applies to; if the file has another one, the whole file is sent. */
                "If-Range"?: string;
                /** @description Cached ETags; if one is the present one, the response is 304. Of audio: with proxy=1. */
                "If-None-Match"?: string;
                /** @description With proxy=1 or bundle.zip: accepted ETags; if none is the file's, the response is 412. */
                "If-Match"?: string;
            };
            path: {
                /** @description The id of a job. */
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "audio/wav": components["schemas"]["Binary"];
                    "audio/flac": components["schemas"]["Binary"];
                    "audio/ogg": components["schemas"]["Binary"];
                    "audio/mpeg": components["schemas"]["Binary"];
                };
            };
            /** @description Partial Content */
            206: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "audio/wav": components["schemas"]["Binary"];
                    "audio/flac": components["schemas"]["Binary"];
                    "audio/ogg": components["schemas"]["Binary"];
                    "audio/mpeg": components["schemas"]["Binary"];
                };
            };
            /** @description Found */
            302: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Not Modified */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Gone */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Precondition Failed */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Requested Range Not Satisfiable */
            416: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    download_bundle: {
        parameters: {
            query?: never;
            header?: {
                /** @description Cached ETags; if one is the present one, the response is 304. Of audio: with proxy=1. */
                "If-None-Match"?: string;
                /** @description With proxy=1 or bundle.zip: accepted ETags; if none is the file's, the response is 412. */
                "If-Match"?: string;
            };
            path: {
                /** @description The id of a job. */
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/zip": components["schemas"]["Binary"];
                };
            };
            /** @description Not Modified */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Gone */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Precondition Failed */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    download_download_output: {
        parameters: {
            query?: {
                /** @description The gateway sends the bytes itself, instead of a redirect to the store. */
                proxy?: boolean;
            };
            header?: {
                /** @description With proxy=1: the requested bytes. */
                Range?: string;
                /** @description With proxy=1: the ETag that Range applies to; if the file has another one, the whole file is sent. */
                "If-Range"?: string;
                /** @description Cached ETags; if one is the present one, the response is 304. Of audio: with proxy=1. */
                "If-None-Match"?: string;
                /** @description With proxy=1 or bundle.zip: accepted ETags; if none is the file's, the response is 412. */
                "If-Match"?: string;
            };
            path: {
                /** @description The id of a job. */
                job_id: string;
                /** @description The name of a file of the job. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "audio/wav": components["schemas"]["Binary"];
                    "audio/flac": components["schemas"]["Binary"];
                    "audio/ogg": components["schemas"]["Binary"];
                    "audio/mpeg": components["schemas"]["Binary"];
                    "audio/midi": components["schemas"]["Binary"];
                    "application/json": components["schemas"]["WaveformPeaks"];
                    "image/svg+xml": components["schemas"]["Binary"];
                    "application/vnd.dawproject": components["schemas"]["Binary"];
                };
            };
            /** @description Partial Content */
            206: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "audio/wav": components["schemas"]["Binary"];
                    "audio/flac": components["schemas"]["Binary"];
                    "audio/ogg": components["schemas"]["Binary"];
                    "audio/mpeg": components["schemas"]["Binary"];
                    "audio/midi": components["schemas"]["Binary"];
                    "application/json": components["schemas"]["WaveformPeaks"];
                    "image/svg+xml": components["schemas"]["Binary"];
                    "application/vnd.dawproject": components["schemas"]["Binary"];
                };
            };
            /** @description Found */
            302: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Not Modified */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Gone */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Precondition Failed */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Requested Range Not Satisfiable */
            416: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    jobs_cancel: {
        parameters: {
            query?: {
                /** @description Stores the audio that a running job has generated so far. */
                keep?: boolean;
                /** @description Cancels the other takes of the job's request, too; 409 only if all have finished. */
                takes?: boolean;
            };
            header?: never;
            path: {
                /** @description The id of a job. */
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Message"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    jobs_list_jobs: {
        parameters: {
            query?: {
                /** @description The most jobs in the answer. */
                limit?: number;
                /** @description Only jobs in this status. */
                status?: components["schemas"]["JobStatus"];
                /** @description The next_cursor of the previous page; empty for the first page */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobList"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    jobs_vary: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeated request with the same key returns the first job. */
                "Idempotency-Key"?: string;
                /** @description With wait=N, the answer comes when the job has ended, after N seconds at most (up to 60). */
                Prefer?: string;
                /** @description Cancels the job unless it has ended by then: from 1s to 86400s. */
                "Cancel-After"?: string;
            };
            path: {
                /** @description The id of a job. */
                job_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["VaryRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChildAccepted"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Request Timeout */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    jobs_extend: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeated request with the same key returns the first job. */
                "Idempotency-Key"?: string;
                /** @description With wait=N, the answer comes when the job has ended, after N seconds at most (up to 60). */
                Prefer?: string;
                /** @description Cancels the job unless it has ended by then: from 1s to 86400s. */
                "Cancel-After"?: string;
            };
            path: {
                /** @description The id of a job. */
                job_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ExtendRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChildAccepted"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Request Timeout */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    jobs_replace: {
        parameters: {
            query?: never;
            header?: {
                /** @description A repeated request with the same key returns the first job. */
                "Idempotency-Key"?: string;
                /** @description With wait=N, the answer comes when the job has ended, after N seconds at most (up to 60). */
                Prefer?: string;
                /** @description Cancels the job unless it has ended by then: from 1s to 86400s. */
                "Cancel-After"?: string;
            };
            path: {
                /** @description The id of a job. */
                job_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ReplaceRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChildAccepted"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Request Timeout */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    jobs_lineage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of a job. */
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Lineage"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    prompt_build: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PromptComponents"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BuiltPrompt"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Request Timeout */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    prompt_parse: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ParseRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ParsedPrompt"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Request Timeout */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    prompt_surprise: {
        parameters: {
            query?: {
                /** @description How many fields the prompt has. */
                complexity?: components["schemas"]["Complexity"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BuiltPrompt"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    prompt_vocabulary: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Vocabulary"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    websocket_websocket: {
        parameters: {
            query?: {
                /** @description The job. */
                job_id?: string;
                /** @description Whether to send its live audio, too. */
                audio?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Switching Protocols */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Upgrade Required */
            426: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    webhooks_list_deliveries: {
        parameters: {
            query?: {
                /** @description Only deliveries of this job. */
                job_id?: string;
                /** @description Only deliveries in this status. */
                status?: components["schemas"]["DeliveryStatus"];
                /** @description The most deliveries in the answer. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeliveryList"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    webhooks_send_again: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ResendRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeliveryList"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Request Timeout */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Conflict */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    index_index: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServiceInfo"];
                    "text/html": string;
                };
            };
            /** @description Not Modified */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    index_asset: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The name of a file of the web page. */
                asset: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/javascript": string;
                    "text/css": string;
                    "text/plain": string;
                };
            };
            /** @description Not Modified */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    index_docs: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
            /** @description Not Modified */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    models_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelList"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    health_health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HealthReport"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HealthReport"];
                };
            };
        };
    };
    health_ready: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Liveness"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    health_live: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Liveness"];
                };
            };
        };
    };
    health_metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    openapi_document: {
        parameters: {
            query?: never;
            header?: {
                /** @description Cached ETags; if one is the present one, the response is 304. Of audio: with proxy=1. */
                "If-None-Match"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenApiDocument"];
                };
            };
            /** @description Not Modified */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    asyncapi_document: {
        parameters: {
            query?: never;
            header?: {
                /** @description Cached ETags; if one is the present one, the response is 304. Of audio: with proxy=1. */
                "If-None-Match"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenApiDocument"];
                };
            };
            /** @description Not Modified */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    audio_upload: {
        parameters: {
            query?: never;
            header?: {
                /** @description The SHA-256 of a file that is the body (RFC 9530); another one is refused with 422. */
                "Content-Digest"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/octet-stream": components["schemas"]["Binary"];
                "multipart/form-data": {
                    file: components["schemas"]["Binary"];
                };
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UploadedFile"];
                };
            };
            /** @description Bad Request */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Request Timeout */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Length Required */
            411: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Request Entity Too Large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unsupported Media Type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Unprocessable Entity */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    audio_describe: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of an uploaded file. */
                audio_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UploadedFile"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
    audio_remove: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The id of an uploaded file. */
                audio_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Message"];
                };
            };
            /** @description Unauthorized */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Not Found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Too Many Requests */
            429: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
            /** @description Service Unavailable */
            503: {
                headers: {
                    /** @description Seconds to wait. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["ProblemDetails"];
                };
            };
        };
    };
}
