"""The server with a profile of the thread that its loop runs in: SIGUSR2 begins it, and SIGUSR2 ends it.

python -m benchmarks.relay.profiled FILE quickstart ...     # what follows FILE are the words for `mailhost`
"""

import cProfile
import signal
import sys
from types import FrameType

from mailhost.cli import main


def begin_and_end(file: str) -> None:
    running: list[cProfile.Profile] = []

    def turn(_signal: int, _frame: FrameType | None) -> None:
        if not running:
            running.append(cProfile.Profile())
            running[0].enable()
            return
        profile = running.pop()
        profile.disable()
        profile.dump_stats(file)

    signal.signal(signal.SIGUSR2, turn)


if __name__ == "__main__":
    begin_and_end(sys.argv.pop(1))
    main()
