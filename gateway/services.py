"""Everything that handlers use, made once at start and reached through one typed key."""

from collections import Counter
from dataclasses import dataclass, field

from aiohttp import ClientSession, web

from gateway import outbox
from gateway.buffers import Buffers
from gateway.cache import Cache
from gateway.dead_letters import DeadLetters
from gateway.event_hub import EventHub
from gateway.job_index import JobIndex
from gateway.jobs import Jobs
from gateway.keys import ApiKeys
from gateway.ledger import Ledger
from gateway.mending import Mending
from gateway.objects import Objects
from gateway.probe import Probe
from gateway.quotas import Quotas
from gateway.rates import Rates
from gateway.renewals import Renewals
from gateway.sweep import Sweep
from gateway.trim import Trim
from gateway.views import Views
from gateway.worker_registry import WorkerRegistry
from shared.bus import Bus
from shared.models import MODEL_NAMES
from shared.settings import Settings
from shared.storage import Storage


@dataclass
class Services:
    """The gateway's parts."""

    settings: Settings
    keys: ApiKeys
    rates: Rates
    quotas: Quotas
    bus: Bus
    storage: Storage
    objects: Objects
    http: ClientSession
    index: JobIndex
    workers: WorkerRegistry
    views: Views
    ledger: Ledger
    renewals: Renewals
    cache: Cache
    jobs: Jobs
    hub: EventHub
    probe: Probe
    sweep: Sweep
    dead_letters: DeadLetters
    mending: Mending
    trim: Trim
    started: float
    sockets: set[web.WebSocketResponse] = field(default_factory=set)
    listeners: Counter[str] = field(default_factory=Counter)
    outboxes: Buffers = field(default_factory=lambda: Buffers(outbox.TOTAL))

    def models(self) -> set[str]:
        """The models that a request may name: Meta's, the starter, and those that workers serve."""
        return {*MODEL_NAMES, self.settings.model, *(worker.model for worker in self.workers.live())}


SERVICES = web.AppKey("services", Services)
