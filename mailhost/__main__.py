"""`python -m mailhost` is the program `mailhost`."""

from mailhost.cli import main

main()
