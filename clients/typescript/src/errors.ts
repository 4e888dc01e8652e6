import type { JobView, ProblemDetails } from "./schema.d.ts";

/** The gateway refused a request or cannot be reached. `message` tells a person what to do next. */
export class ApiError extends Error {
  /** The HTTP status, or 0 if there was no answer. */
  readonly status: number;
  /** The wrong fields of a body, if the gateway names them. */
  readonly errors: { field: string; message: string }[];
  /** The whole problem details (RFC 9457), if the gateway sent them. */
  readonly problem: ProblemDetails | null;
  /** Seconds after which a retry makes sense, if the gateway says so. */
  readonly retryAfter: number | null;

  constructor(message: string, status = 0, problem: ProblemDetails | null = null, retryAfter: number | null = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.errors = problem?.errors ?? [];
    this.problem = problem;
    this.retryAfter = retryAfter;
  }
}

/** A job ended without a result. `job` is its last state: failed or cancelled. */
export class JobFailedError extends Error {
  override readonly name = "JobFailedError";
  readonly job: JobView;

  constructor(job: JobView) {
    super(`${job.job_id} ${job.status}: ${job.error_message ?? job.message}`);
    this.job = job;
  }
}

/** The error of a request that has no answer. */
export function unreachable(): ApiError {
  return new ApiError("The service cannot be reached. Check that it is running, then try again.");
}

/** The error that an unsuccessful answer stands for. */
export async function errorOf(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => null)) as ProblemDetails | null;
  const detail = problem?.detail || problem?.title || `The service answered with an error (HTTP ${response.status}).`;
  const retryAfter = Number.parseFloat(response.headers.get("Retry-After") ?? "");
  return new ApiError(detail, response.status, problem, Number.isNaN(retryAfter) ? null : retryAfter);
}
