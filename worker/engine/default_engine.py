"""The engine that runs unless another is asked for: our own, or audiocraft's for a model that only it knows."""

from worker.engine.batching.engine import load as load_batching
from worker.engine.interface import Engine, EngineSettings, OnLoading, UnsupportedCheckpointError


def load(settings: EngineSettings, on_loading: OnLoading) -> Engine:
    """Load the model into the running batch if it is of a kind that this knows exactly.

    Raises:
        ModelUnavailableError: with the remedy, if it cannot be had.
    """
    try:
        return load_batching(settings, on_loading)
    except UnsupportedCheckpointError as error:
        reason = f"{settings.model} runs on audiocraft's own loop, one request at a time: {error}"
    on_loading(reason)  # which the worker logs
    from worker.engine.audiocraft_engine import load as load_audiocraft  # twenty seconds, and hardly ever needed

    return load_audiocraft(settings, on_loading)
