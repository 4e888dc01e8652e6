"""Where a job's events are sent, as its record has it."""

from typing import Literal

import msgspec

DeliveryStatus = Literal["pending", "delivered", "failed"]


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A request's `webhook` and `webhook_events`.

    Attributes:
        url: of the receiver.
        events: the types of the events that it gets.
    """

    url: str
    events: tuple[str, ...]
