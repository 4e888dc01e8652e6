"""Free ports on loopback."""

import random
import socket

LOOPBACK = "127.0.0.1"
CANDIDATES = range(12_000, 22_000)


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


def free_ports(count: int) -> list[int]:
    """As many different free ports."""
    return [port for port, _ in free_port_pairs(count, 0)]


def free_port_pairs(count: int, distance: int) -> list[tuple[int, int]]:
    """As many different pairs of free ports that lie `distance` apart.

    They are below the ephemeral range, where any outgoing connection could take one before it is listened on.
    """
    pairs: list[tuple[int, int]] = []
    for port in random.sample(CANDIDATES, len(CANDIDATES)):
        if len(pairs) == count:
            break
        if is_free(port) and is_free(port + distance):
            pairs.append((port, port + distance))
    return pairs
