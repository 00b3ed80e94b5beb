"""A far side within the benchmark itself, for one thing that smtp-sink cannot tell: when the last line of each message came."""

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from queue import Queue

from benchmarks.relay.places import RECORDER

GREETING = b"220 recorder.test ESMTP\r\n"
HELLO = b"250-recorder.test\r\n250-PIPELINING\r\n250-SIZE 50000000\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 DSN\r\n"
REPLIES = {b"EHLO": HELLO, b"DATA": b"354 Go on\r\n", b"QUIT": b"221 2.0.0 Bye\r\n"}
OK = b"250 2.0.0 Ok\r\n"


class Recorder:
    def __init__(self) -> None:
        self._moments: Queue[tuple[bytes, float]] = Queue()

    def wait(self, number: int, seconds: float) -> float:
        """Until that message is there, the next one to come; answers with when, on the clock of `time.perf_counter`."""
        subject, at = self._moments.get(timeout=seconds)
        assert subject == b"Subject: message %d\r\n" % number, subject
        return at

    def converse(self, wire: socketserver.StreamRequestHandler) -> None:
        """One reply after another, until QUIT."""
        wire.wfile.write(GREETING)
        for line in wire.rfile:
            verb = line[:4].upper().rstrip()
            wire.wfile.write(REPLIES.get(verb, OK))
            if verb == b"DATA":
                self._moments.put((_subject(wire.rfile), time.perf_counter()))
                wire.wfile.write(OK)
            elif verb == b"QUIT":
                return


def _subject(lines: BufferedIOBase) -> bytes:
    """The line that says which message it is, when the last one has come."""
    found = b""
    while (line := lines.readline()) != b".\r\n":
        assert line, "the relay hung up"
        if line.startswith(b"Subject: ") and not found:
            found = line
    return found


@contextmanager
def recorder(port: int) -> Iterator[Recorder]:
    found = Recorder()

    class Session(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            found.converse(self)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True
        request_queue_size = 100

    with Server((RECORDER, port), Session) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
