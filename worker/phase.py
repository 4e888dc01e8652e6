"""The message of a job in progress, for its client."""

from worker.engine.host.engine_host import EngineHost
from worker.lease import Lease
from worker.slots import Slot
from worker.tries import Tries


def phase_of(lease: Lease, host: EngineHost, slot: Slot, tries: Tries | None) -> str:
    """What the job does now, or waits for; `tries` is None until its model is loaded."""
    record = lease.record
    if lease.keep.is_set():
        return record.message  # written by the gateway
    if tries is None:
        model = record.recipe.model
        if host.is_started:
            return f"Loading the model {model}: {host.message}"
        return f"Waiting for jobs of other models, which make room for the model {model}"
    if slot.is_awaited:
        return "Waiting until the engine is free, to generate again"
    if tries.began is not None:
        return tries.phase
    if record.quarantined:
        return "Waiting until the engine is free, because this job runs alone"
    return "Waiting for a job that runs alone"
