"""Everything that handlers use, created once at start and stored in the application under one typed key."""

from collections import Counter
from dataclasses import dataclass, field

from aiohttp import ClientSession, web

from gateway.access.api_keys import ApiKeys
from gateway.access.lanes import Lanes
from gateway.access.rate_limiter import RateLimiter
from gateway.index.job_index import JobIndex
from gateway.index.record_store import RecordStore
from gateway.index.worker_registry import WorkerRegistry
from gateway.jobs.acceptance import Acceptance
from gateway.jobs.dead_letters import DeadLetters
from gateway.jobs.deadlines import Deadlines
from gateway.jobs.excerpts import Excerpts
from gateway.jobs.job_service import JobService
from gateway.jobs.reconciler import Reconciler
from gateway.jobs.record_repair import RecordRepair
from gateway.jobs.result_cache import ResultCache
from gateway.jobs.scores import Scores
from gateway.jobs.stored_files import StoredFiles
from gateway.jobs.trimmer import RecordTrimmer
from gateway.jobs.usage import UsageTracker
from gateway.jobs.views import Views
from gateway.live import outbox
from gateway.live.event_hub import EventHub
from gateway.memory_budget import MemoryBudget
from gateway.probe import Probe
from gateway.uploads.uploads import Uploads
from gateway.webhooks.service import Webhooks
from shared.bus import Bus
from shared.models import MODEL_NAMES
from shared.settings import Settings
from shared.storage import Storage


@dataclass
class Services:
    """The gateway's services."""

    settings: Settings
    keys: ApiKeys
    lanes: Lanes
    rate_limiter: RateLimiter
    bus: Bus
    storage: Storage
    stored_files: StoredFiles
    uploads: Uploads
    excerpts: Excerpts
    scores: Scores
    http: ClientSession
    index: JobIndex
    workers: WorkerRegistry
    views: Views
    record_store: RecordStore
    usage: UsageTracker
    result_cache: ResultCache
    acceptance: Acceptance
    jobs: JobService
    deadlines: Deadlines
    webhooks: Webhooks
    hub: EventHub
    probe: Probe
    reconciler: Reconciler
    dead_letters: DeadLetters
    record_repair: RecordRepair
    record_trimmer: RecordTrimmer
    started: float
    websockets: set[web.WebSocketResponse] = field(default_factory=set)
    live_connections: Counter[str] = field(default_factory=Counter)
    followers: set[outbox.Outbox] = field(default_factory=set)
    outbox_memory: MemoryBudget = field(default_factory=lambda: MemoryBudget(outbox.TOTAL_LIMIT))

    def models(self) -> set[str]:
        """The models that a request may name: the published ones, those of the settings, and those of live workers."""
        return {*MODEL_NAMES, *self.settings.models, *self.workers.models()}


SERVICES = web.AppKey("services", Services)
