"""What can go wrong between an operation and its durable commit."""


class Refused(Exception):
    """An operation says no: it alone is undone, and its caller hears why. Base of the errors of users, store and queue."""


class CommitFailed(Exception):
    """Not committed, or nobody knows: the client hears a temporary error (451, NO [UNAVAILABLE]), never OK."""


class RunAgain(CommitFailed):
    """PostgreSQL asks for the whole transaction once more: a deadlock (40P01) or a serialization failure (40001)."""


class SchemaTooNew(Exception):
    """The database was written by a newer mailhost; this one would not understand it."""


class DatabaseUnsafe(Exception):
    """The database is set up so that an acknowledged commit could be lost."""
