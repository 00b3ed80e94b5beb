"""What every session may lean on, whatever its protocol."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from mailhost.conversation.presence import Presence
from mailhost.database.database import Database
from mailhost.database.hints import Hints
from mailhost.delivery.directory import Directory
from mailhost.events.event import Events
from mailhost.message.budget import Limits as ScanLimits
from mailhost.store.index import Indexes
from mailhost.store.octets import BlobStore
from mailhost.users.passwords import Logins


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that hold in every protocol; each is a setting."""

    most_errors: int = 20
    """Commands in a row that are not understood before the server hangs up."""
    line_octets: int = 64 << 10
    login_tries: int = 5
    message_octets: int = 50 << 20
    most_mailboxes: int = 10_000


@dataclass(frozen=True, slots=True)
class Services:
    """The mailbox store, the user database, and what goes with them."""

    host: str
    """The name by which this server calls itself."""
    database: Database
    directory: Directory
    blobs: BlobStore
    hints: Hints
    """What other processes change."""
    indexes: Indexes
    logins: Logins
    presence: Presence
    events: Events
    limits: Limits
    allow_plaintext: bool
    """Whether a password may be sent without TLS."""
    locks: Path
    """The folder of the locks that one account has over all processes: POP3's maildrop."""
    scan: ScanLimits = field(default_factory=ScanLimits)
    """What one message may cost to take apart, whichever way it comes."""
    failure_delay: timedelta = timedelta(seconds=1)
    """How long the answer to a wrong password waits."""
