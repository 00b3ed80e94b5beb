"""A DNS server on loopback, by UDP and TCP, with a zone that a test writes and faults that it asks for."""

import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
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
    asked: list[str] = field(default_factory=list)

    def answer(self, question: bytes) -> bytes | None:
        query = dns.message.from_wire(question)
        (wanted,) = query.question
        name, kind = str(wanted.name).rstrip(".").lower(), dns.rdatatype.to_text(wanted.rdtype)
        self.asked.append(f"{name} {kind}")
        if name in self.silent:
            return None
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA
        known = [each for each in self.records if each.partition(" ")[0] == name]
        if name in self.failing:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif not known:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif values := self.records.get(f"{name} {kind}"):
            reply.answer.append(dns.rrset.from_text(wanted.name, TTL, "IN", kind, *values))
        return reply.to_wire()


@contextmanager
def dns_server(records: Mapping[str, list[str]]) -> Iterator[tuple[Zone, int]]:
    """Answers with the zone, which may be changed while it serves, and the port."""
    zone = Zone(dict(records))

    class UDP(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            question, socket = self.request
            if (reply := zone.answer(question)) is not None:
                socket.sendto(reply, self.client_address)

    class TCP(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while len(head := self.rfile.read(2)) == 2:
                reply = zone.answer(self.rfile.read(int.from_bytes(head)))
                if reply is None:
                    return
                self.wfile.write(len(reply).to_bytes(2) + reply)

    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), UDP) as udp:
        port = udp.server_address[1]
        with socketserver.ThreadingTCPServer(("127.0.0.1", port), TCP) as tcp:
            threads = [threading.Thread(target=each.serve_forever, args=(0.05,)) for each in (udp, tcp)]
            for thread in threads:
                thread.start()
            try:
                yield zone, port
            finally:
                for each in (udp, tcp):
                    each.shutdown()
                for thread in threads:
                    thread.join()
