"""Free ports on loopback, none of them promised twice by one process."""

import random
import socket
from itertools import islice

LOOPBACK = "127.0.0.1"
PORT_RANGE = range(12_000, 22_000)

# A port is bound long after it was chosen: until then only this tells that it is spoken for.
_allocated: set[int] = set()


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as probe:
        # As servers do: a port in TIME_WAIT after a restart is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def has_listener(port: int, host: str = LOOPBACK) -> bool:
    """Whether a program has_listener on `port`. Unlike `is_free`, this does not bind it, even for a moment."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def allocate(*ports: int) -> bool:
    """Promise these ports to the caller, if all are free and nobody in this process has one; returns whether."""
    wanted = set(ports)
    if wanted & _allocated or not all(map(is_free, wanted)):
        return False
    _allocated.update(wanted)
    return True


def free_ports(count: int) -> list[int]:
    """As many different free ports."""
    return [port for port, _ in free_port_pairs(count, 0)]


def free_port_pairs(count: int, distance: int) -> list[tuple[int, int]]:
    """As many different pairs of free ports that lie `distance` apart.

    They are below the ephemeral range, where any outgoing connection could take one before it is listened on.
    """
    pairs = ((port, port + distance) for port in random.sample(PORT_RANGE, len(PORT_RANGE)))
    return list(islice((pair for pair in pairs if allocate(*pair)), count))
