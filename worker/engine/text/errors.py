"""What the text room raises when it does not know a text encoder."""

from worker.engine.interface import UnsupportedCheckpointError


class UnsupportedTextEncoderError(UnsupportedCheckpointError):
    """The text encoder holds something that this code does not know exactly.

    It may well be a good one: the reference engine, with transformers' own code, can load it.

    Attributes:
        reason: one sentence that names the file or tensor and what is unknown about it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
