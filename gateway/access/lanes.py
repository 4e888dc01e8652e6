"""Which lane of the queue a new job takes: by its priority, and by its API key."""

from collections.abc import Collection, Mapping

from shared.errors import SettingsError
from shared.lanes import NORMAL, SHARES, Priority, lane_name, priority_of
from shared.settings import Settings


class Lanes:
    """The lanes of all keys.

    Args:
        names: of the API keys. Each name has a share of its own, as long as there are no more than SHARES.
        priorities: of the jobs of a key whose requests name none.
    """

    def __init__(self, names: Collection[str], priorities: Mapping[str, Priority]) -> None:
        self._shares = {name: number % SHARES for number, name in enumerate(sorted(names))}
        self._priorities = priorities

    def of(self, owner: str | None, priority: Priority | None) -> str:
        """The lane of a job that `owner`, the name of an API key, requests with this priority."""
        if owner is None:
            return lane_name(priority or NORMAL)
        return lane_name(priority or self._priorities.get(owner, NORMAL), self._shares.get(owner))


def load_priorities(settings: Settings, names: Collection[str]) -> dict[str, Priority]:
    """The priorities of KEY_PRIORITIES by name of a key.

    Raises:
        SettingsError: if one names no key.
    """
    pairs = [pair.strip().split(":") for pair in settings.key_priorities.split(",") if pair]
    for name, _ in pairs:
        if name not in names:
            raise SettingsError(
                f"KEY_PRIORITIES names the key {name}, which API_KEYS lacks. Add it there, or remove it."
            )
    return {name: priority_of(word) for name, word in pairs}
