"""A DNS server on loopback, by UDP and TCP, with a zone that a test writes and faults that it asks for."""

import socket as socket_module
import socketserver
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

TTL = 60


@dataclass
class Zone:
    """Names with their records (`"blue.test MX": ["10 mx.blue.test."]`), names that fail, and what was asked."""

    records: dict[str, list[str]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    """Names that are answered with SERVFAIL."""
    silent: set[str] = field(default_factory=set)
    """Names that are not answered at all."""
    refused: set[str] = field(default_factory=set)
    """Names that this server has nothing to do with, and says so."""
    lame: set[str] = field(default_factory=set)
    """Names that are answered with a referral to other servers."""
    garbage: dict[str, bytes] = field(default_factory=dict)
    """Names that are answered with these octets, behind the question's id."""
    false: set[str] = field(default_factory=set)
    """Names that are answered for another name."""
    forged: set[str] = field(default_factory=set)
    """Names for which an answer with another id, and a wrong address, comes before the right one."""
    elsewhere: set[str] = field(default_factory=set)
    """Names for which a wrong address comes from another place than was asked, with the right id, before the right answer."""
    large: set[str] = field(default_factory=set)
    """Names whose answers do not fit into a packet: UDP says so, TCP has them."""
    mute_by_tcp: set[str] = field(default_factory=set)
    """Large ones that TCP has not either."""
    cut_by_tcp: set[str] = field(default_factory=set)
    """Large ones whose connection is closed in the middle of the answer."""
    ttl: dict[str, int] = field(default_factory=dict)
    """Seconds that the records of a name may be kept, if not `TTL`."""
    negative_ttl: int | None = None
    """Seconds that it may be kept that there is nothing (RFC 2308 section 5); None says nothing of it."""
    delays: dict[str, float] = field(default_factory=dict)
    """Seconds until a name is answered."""
    asked: list[str] = field(default_factory=list)

    def by_udp(self, question: bytes) -> list[bytes]:
        """All packets that answer."""
        name = _name(question)
        reply = self.answer(question)
        if reply is None:
            return []
        if name in self.large:
            short = dns.message.make_response(dns.message.from_wire(question))
            short.flags |= dns.flags.TC
            return [short.to_wire()]
        if name in self.forged:
            other = self.wrong(question)
            return [(int.from_bytes(other[:2]) ^ 1).to_bytes(2) + other[2:], reply]
        return [reply]

    @staticmethod
    def wrong(question: bytes) -> bytes:
        """An address that nobody has."""
        (wanted,) = dns.message.from_wire(question).question
        reply = dns.message.make_response(dns.message.from_wire(question))
        reply.answer.append(dns.rrset.from_text(wanted.name, TTL, "IN", "A", "192.0.2.66"))
        return reply.to_wire()

    def by_tcp(self, question: bytes) -> bytes:
        """What is written before the connection is closed, or kept."""
        reply = None if _name(question) in self.mute_by_tcp else self.answer(question)
        if reply is None:
            return b""
        whole = len(reply).to_bytes(2) + reply
        return whole[: len(whole) // 2] if _name(question) in self.cut_by_tcp else whole

    def answer(self, question: bytes) -> bytes | None:
        query = dns.message.from_wire(question)
        (wanted,) = query.question
        name, kind = str(wanted.name).rstrip(".").lower(), dns.rdatatype.to_text(wanted.rdtype)
        self.asked.append(f"{name} {kind}")
        if name in self.silent:
            return None
        time.sleep(self.delays.get(name, 0))
        if name in self.garbage:
            return question[:2] + self.garbage[name]
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA
        known = [each for each in self.records if each.partition(" ")[0] == name]
        if name in self.failing:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif name in self.refused:
            reply.set_rcode(dns.rcode.REFUSED)
        elif name in self.lame:
            reply.flags &= ~dns.flags.AA
            reply.authority.append(dns.rrset.from_text(dns.name.root, TTL, "IN", "NS", "a.root-servers.test."))
        elif name in self.false:
            reply.question[0] = dns.rrset.from_text("other.test.", 0, "IN", kind)
            reply.answer.append(dns.rrset.from_text("other.test.", TTL, "IN", "A", "192.0.2.66"))
        elif kind != "CNAME" and (alias := self.records.get(f"{name} CNAME")):
            reply.answer.append(dns.rrset.from_text(wanted.name, TTL, "IN", "CNAME", *alias))
        elif not known:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif values := self.records.get(f"{name} {kind}"):
            reply.answer.append(dns.rrset.from_text(wanted.name, self.ttl.get(name, TTL), "IN", kind, *values))
        if not reply.answer and reply.flags & dns.flags.AA and self.negative_ttl is not None:
            soa = f"ns.test. admin.test. 1 3600 600 86400 {self.negative_ttl}"
            reply.authority.append(dns.rrset.from_text("test.", 86_400, "IN", "SOA", soa))
        return reply.to_wire()


def _name(question: bytes) -> str:
    (wanted,) = dns.message.from_wire(question).question
    return str(wanted.name).rstrip(".").lower()


@contextmanager
def dns_server(records: Mapping[str, list[str]]) -> Iterator[tuple[Zone, int]]:
    """Answers with the zone, which may be changed while it serves, and the port."""
    zone = Zone(dict(records))

    class UDP(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            question, socket = self.request
            if _name(question) in zone.elsewhere:
                with socket_module.socket(socket_module.AF_INET, socket_module.SOCK_DGRAM) as other:
                    other.bind(("127.0.0.1", 0))
                    other.sendto(zone.wrong(question), self.client_address)
            for reply in zone.by_udp(question):
                socket.sendto(reply, self.client_address)

    class TCP(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while len(head := self.rfile.read(2)) == 2:
                question = self.rfile.read(int.from_bytes(head))
                self.wfile.write(zone.by_tcp(question))
                if _name(question) in zone.cut_by_tcp:
                    return

    with ExitStack() as stack:
        servers = _both(UDP, TCP, stack)
        threads = [threading.Thread(target=each.serve_forever, args=(0.01,)) for each in servers]
        for thread in threads:
            thread.start()
        try:
            yield zone, servers[0].server_address[1]
        finally:
            for each in servers:
                each.shutdown()
            for thread in threads:
                thread.join()


def _both(udp: Any, tcp: Any, stack: ExitStack) -> list[Any]:
    """On one port; somebody else may have the other half of the first that is free."""
    while True:
        packets = stack.enter_context(socketserver.ThreadingUDPServer(("127.0.0.1", 0), udp))
        with suppress(OSError):
            return [packets, stack.enter_context(socketserver.ThreadingTCPServer(packets.server_address, tcp))]
