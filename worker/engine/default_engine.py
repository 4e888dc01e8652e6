"""The default: the batching engine, or audiocraft's for a model that only audiocraft supports."""

from worker.engine.batching.engine import load as load_batching
from worker.engine.interface import Engine, EngineSettings, OnLoading, UnsupportedCheckpointError


def load(settings: EngineSettings, on_loading: OnLoading) -> Engine:
    """Load the model with the batching engine if it supports the checkpoint, else with audiocraft's.

    Raises:
        ModelUnavailableError: with the remedy, if the model cannot be loaded.
    """
    try:
        return load_batching(settings, on_loading)
    except UnsupportedCheckpointError as error:
        reason = f"{settings.model} runs on audiocraft's own loop, one request at a time: {error}"
    on_loading(reason)  # the worker logs it
    from worker.engine.audiocraft_engine import (
        load as load_audiocraft,  # the import takes twenty seconds and is rarely needed
    )

    return load_audiocraft(settings, on_loading)
