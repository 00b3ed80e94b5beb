"""What stops the start."""


class ConfigProblem(Exception):
    """The settings cannot be used. One line: file, key, cure."""

    def __init__(self, source: str, key: str, cure: str) -> None:
        self.source, self.key, self.cure = source, key, cure
        super().__init__(": ".join(filter(None, (source, key, cure))).replace("\n", " "))
