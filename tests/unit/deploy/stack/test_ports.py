"""Allocation of free ports."""

import socket

import pytest

from deploy.stack import ports as module
from deploy.stack.ports import LOOPBACK, allocate, free_port_pairs, free_ports, is_free


def test_a_port_is_free_until_a_server_listens_on_it() -> None:
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        server.listen()
        port = server.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)


def test_a_port_in_time_wait_is_free() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection((LOOPBACK, port))
        accepted, _ = server.accept()
        accepted.close()  # the side that closes first leaves the port in TIME_WAIT
        client.close()
    assert is_free(port)


def test_an_address_of_another_machine_is_not_free() -> None:
    assert not is_free(8000, "192.0.2.1")


def test_free_ports_are_distinct_and_free() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(is_free(port) for port in ports)


def test_port_pairs_have_the_distance_and_share_no_port() -> None:
    pairs = free_port_pairs(4, 10_000)
    assert len(pairs) == 4
    assert all(second - first == 10_000 for first, second in pairs)
    assert len({port for pair in pairs for port in pair}) == 8
    assert all(second < 32_768 for _, second in pairs)


def test_a_free_port_is_allocated_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setattr(module, "PORT_RANGE", [port])
    assert is_free(port)
    assert free_ports(1) == []
    assert not allocate(port)


def test_an_allocated_port_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = free_port_pairs(1, 10_000)[0]
    monkeypatch.setattr(module, "_allocated", set())
    monkeypatch.setattr(module, "PORT_RANGE", [first])
    assert allocate(second)
    assert free_port_pairs(1, second - first) == []
    assert free_ports(1) == [first]


def test_both_halves_of_a_pair_are_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    (pair,) = free_port_pairs(1, 10_000)
    monkeypatch.setattr(module, "PORT_RANGE", pair)
    assert free_ports(1) == []


def test_a_taken_port_cannot_be_allocated() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        assert not allocate(server.getsockname()[1])
