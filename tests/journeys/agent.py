"""What a fetching client hands its messages to: a mail delivery agent that keeps them as they came, in their order."""

from pathlib import Path

PROGRAM = """\
#!/bin/sh
# Keeps each message under the next number; complete when it has its name.
cd "{folder}" && n=$(ls | wc -l) && cat >.part && mv .part $(printf %03d "$n")
"""


def agent(folder: Path) -> Path:
    """The program, which keeps messages in the folder `arrived` beside itself."""
    (folder / "arrived").mkdir(exist_ok=True)
    program = folder / "deliver"
    program.write_text(PROGRAM.format(folder=folder / "arrived"))
    program.chmod(0o700)
    return program


def kept(folder: Path) -> list[bytes]:
    """With the line ends of mail: these clients end lines as Unix does."""
    return [path.read_bytes().replace(b"\n", b"\r\n") for path in sorted((folder / "arrived").iterdir())]
