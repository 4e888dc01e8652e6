"""All the audio that one WebSocket client hears."""

import asyncio

from gateway.index.job_index import JobIndex
from gateway.live.audio_feed import AudioFeed
from gateway.live.outbox import Outbox
from shared.bus import Bus

# Tracks that one connection may hear at a time.
MAX_FEEDS = 32


class AudioFeeds:
    """The feeds of one connection, by job. At most MAX_FEEDS of them run."""

    def __init__(self, bus: Bus, index: JobIndex, outbox: Outbox) -> None:
        self._bus = bus
        self._index = index
        self._outbox = outbox
        self._feeds: dict[str, AudioFeed] = {}

    def running(self) -> list[str]:
        """The jobs that are being heard."""
        return [job_id for job_id, feed in self._feeds.items() if not feed.is_over]

    def start(self, job_id: str) -> bool:
        """Hear a job from its beginning; False if that is one too many."""
        if len(self.running()) >= MAX_FEEDS:
            return False
        self._feeds[job_id] = AudioFeed(self._bus, self._index, job_id, self._outbox)
        return True

    def stop(self) -> list[str]:
        """Send no more audio at all; returns the jobs that were being heard."""
        stopped = self.running()
        for job_id in stopped:
            self._feeds[job_id].stop()
        return stopped

    async def close(self, job_id: str | None = None) -> None:
        """Hear a job, or any, no longer; when this returns, the broker knows."""
        closing = [feed for key, feed in self._feeds.items() if job_id in (None, key)]
        await asyncio.gather(*(feed.close() for feed in closing))
        for key in [job_id] if job_id else list(self._feeds):
            self._feeds.pop(key, None)
