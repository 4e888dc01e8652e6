"""What can go wrong. Every error of this package is a ClientError, and its text says what to do next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from musicgen_client.models import JobView


class ClientError(Exception):
    """The base of all errors of this package."""


class UnreachableError(ClientError):
    """No connection to the gateway can be made, or it broke off."""


class TimedOutError(ClientError):
    """The gateway accepts connections, but does not answer in time."""


class CertificateError(ClientError):
    """The gateway's TLS certificate is not trusted."""


class UnexpectedAnswerError(ClientError):
    """The answer is not one of a gateway, or of a version that this client does not know."""


class TransferError(ClientError):
    """A download broke off, or its bytes differ from the stored file. Nothing was saved."""


class SubscriptionError(ClientError):
    """The gateway ended a subscription, such as live audio that is read too slowly. The job itself goes on."""


class WebhookError(ClientError):
    """A webhook is unsigned, altered, too old, or signed with another secret. Do not act on it."""


class JobFailedError(ClientError):
    """The job ended without a result.

    Attributes:
        view: the job's last state; `status` is failed or cancelled.
    """

    def __init__(self, view: "JobView") -> None:
        super().__init__(f"{view.job_id} {view.status.value}: {view.error_message or view.message}")
        self.view = view


@dataclass(frozen=True)
class Problem:
    """An error as the gateway describes it, after RFC 9457.

    Attributes:
        status: the HTTP status.
        detail: the error, and what to do next.
        errors: the invalid fields of a request, as pairs of field and message.
        request_id: identifies the request in the gateway's log; empty if unknown.
        recipe: of expired audio: `generate(**recipe)` makes it again.
        retry_after: seconds after which the same request may succeed.
    """

    status: int
    detail: str
    errors: tuple[tuple[str, str], ...] = ()
    request_id: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    retry_after: float | None = None


class ProblemError(ClientError):
    """The gateway refused a request.

    Attributes:
        problem: the reason.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class InvalidRequestError(ProblemError):
    """The request has an invalid field: see `problem.errors`."""


class AuthenticationError(ProblemError):
    """The API key is missing, unknown, or not allowed to do this."""


class NotFoundError(ProblemError):
    """There is no such job or file."""


class ConflictError(ProblemError):
    """The job is not in the right state, such as a download before it has completed."""


class ExpiredError(ProblemError):
    """The audio is no longer stored: `problem.recipe` makes it again."""


class TooManyRequestsError(ProblemError):
    """A limit of the API key is reached: `problem.retry_after` says when to try again."""


class UnavailableError(ProblemError):
    """The service is temporarily unavailable, or failed."""


_BY_STATUS: dict[int, type[ProblemError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: AuthenticationError,
    404: NotFoundError,
    409: ConflictError,
    410: ExpiredError,
    413: InvalidRequestError,
    422: InvalidRequestError,
    429: TooManyRequestsError,
}


def problem_error(problem: Problem) -> ProblemError:
    """The exception for a problem, by its status."""
    default = UnavailableError if problem.status >= 500 else ProblemError
    return _BY_STATUS.get(problem.status, default)(problem)
