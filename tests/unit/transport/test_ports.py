"""A port that cannot be had is named together with its setting and the cure, and nothing of it is kept."""

import errno
import os
import socket

import pytest

from mailhost.transport.ports import PortBusy, PortForbidden, begin, bind, bind_all, close_all, problem


@pytest.mark.parametrize(
    ("refused", "kind", "key", "cure"),
    [
        (errno.EADDRINUSE, PortBusy, "smtp.port", "end what listens there, or set another port"),
        (errno.EADDRNOTAVAIL, PortBusy, "server.bind", "set an address that this machine has"),
        (errno.EACCES, PortForbidden, "smtp.port", "CAP_NET_BIND_SERVICE"),
        (errno.EIO, PortBusy, "smtp.port", "Input/output error"),
    ],
)
def test_the_cure_stands_behind_what_the_system_says(refused: int, kind: type[PortBusy], key: str, cure: str) -> None:
    found = problem("smtp", "127.0.0.1", 25, OSError(refused, os.strerror(refused)))
    assert type(found) is kind
    assert str(found).startswith(f"{key}: cannot listen on 127.0.0.1 port 25: {os.strerror(refused)}")
    assert cure in str(found)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_port_that_somebody_listens_on_is_busy_and_the_others_are_given_back(address: str) -> None:
    with bind("imap", address, 0) as other, bind("smtp", address, 0) as lent:
        begin("imap", other)
        busy, free = other.getsockname()[1], lent.getsockname()[1]
        lent.close()
        with pytest.raises(PortBusy, match=rf"^pop3\.port: cannot listen on {address} port {busy}: Address already"):
            bind_all(address, {"smtp": free, "pop3": busy})
        close_all(bind_all(address, {"smtp": free}))


def test_a_bound_port_answers_nobody_until_it_listens() -> None:
    with bind("smtp", "127.0.0.1", 0) as held:
        place = held.getsockname()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(place, 5)
        begin("smtp", held)
        socket.create_connection(place, 5).close()


def test_of_two_that_bound_one_port_the_second_to_listen_hears_that_it_is_busy() -> None:
    with bind("smtp", "127.0.0.1", 0) as one, bind("smtp", "127.0.0.1", one.getsockname()[1]) as other:
        begin("smtp", one)
        with pytest.raises(PortBusy, match=r"smtp\.port: .*Address already in use"):
            begin("smtp", other)


def test_an_address_of_another_machine_is_named_by_its_setting() -> None:
    with pytest.raises(PortBusy, match=r"^server\.bind: cannot listen on 192\.0\.2\.1 port 2525: "):
        bind("smtp", "192.0.2.1", 2525)


def test_every_address_is_every_one_of_both_kinds() -> None:
    with bind("smtp", "::", 0) as held:
        begin("smtp", held)
        socket.create_connection(("127.0.0.1", held.getsockname()[1]), 5).close()
