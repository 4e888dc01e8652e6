"""Allocates free ports on loopback, each one only once per process."""

import random
import socket
from itertools import islice

LOOPBACK = "127.0.0.1"
PORT_RANGE = range(12_000, 22_000)

# Ports are bound long after they are chosen; until then only this set marks them as used.
_allocated: set[int] = set()


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Return whether a server could listen on `port` now."""
    with socket.socket() as probe:
        # As servers do, so that a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def has_listener(port: int, host: str = LOOPBACK) -> bool:
    """Return whether a program listens on `port`. Unlike `is_free`, this never binds the port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def allocate(*ports: int) -> bool:
    """Allocate these ports to the caller if all are free and not yet allocated; return whether it did."""
    wanted = set(ports)
    if wanted & _allocated or not all(map(is_free, wanted)):
        return False
    _allocated.update(wanted)
    return True


def free_ports(count: int) -> list[int]:
    """Allocate `count` distinct free ports."""
    return [port for port, _ in free_port_pairs(count, 0)]


def free_port_pairs(count: int, distance: int) -> list[tuple[int, int]]:
    """Allocate `count` distinct pairs of free ports that are `distance` apart.

    They are below the ephemeral range, where an outgoing connection could take a port before the server binds it.
    """
    pairs = ((port, port + distance) for port in random.sample(PORT_RANGE, len(PORT_RANGE)))
    return list(islice((pair for pair in pairs if allocate(*pair)), count))
