"""Every setting, once. The text below a setting is its manual: etc/mailhost.toml is made from this file.

A section is a frozen value. Durations and octets carry their unit in their type; a bound stands beside the type.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from mailhost.config.units import (
    Duration,
    Each,
    Form,
    IPAddress,
    Least,
    Most,
    Octets,
    days,
    hours,
    kib,
    mib,
    milliseconds,
    minutes,
    seconds,
)

Port = Annotated[int, Least(1), Most(65_535)]
Count = Annotated[int, Least(1)]
Wait = Annotated[Duration, Least(milliseconds(1))]
"""A deadline: there is no "for ever"."""
Span = Annotated[Duration, Least(seconds(0))]


HOST = r"(?!.{254})[0-9A-Za-z]([0-9A-Za-z-]{0,62})(\.[0-9A-Za-z]([0-9A-Za-z-]{0,62}))*"
"""What may be said in a greeting (RFC 5321 section 4.1.2)."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


class Server(Section, frozen=True):
    """The server as a whole."""

    host: Annotated[str, Form(HOST, "mail.example.org", "a host name")] = "localhost"
    """The name by which this server calls itself in greetings and in Received; a public server has an MX or A record of this name."""
    data: Path = Path("/var/lib/mailhost")
    """The folder of all that is kept: database, larger messages, keys. A relative path counts from this file's folder. Never on NFS."""
    bind: Annotated[str, IPAddress("127.0.0.1")] = "127.0.0.1"
    """The address to listen on. Loopback until you decide otherwise; "0.0.0.0" is every IPv4 address, "::" every one."""
    user: str = ""
    """The user that a server started by root becomes once it has its ports and keys, such as "mailhost"; "root" stays root. Whoever
    else starts it needs none."""
    node: Annotated[int, Least(0), Most(1023)] = 0
    """The number of this process among all that write into one database: identifiers contain it, so no two may share it."""
    open_files: Count = 16_384
    """Refuse to start when the system allows fewer open files: each connection takes one, and a server without any stops to answer.
    More than most_connections of all listeners together."""
    grace: Span = seconds(10)
    """At the end, how long conversations under way may take to finish. What is in a commit ends whole in any case."""


class Database(Section, frozen=True):
    """The one database: mailboxes, users, deliveries."""

    url: str = "sqlite"
    """"sqlite" is the file mailhost.db in server.data; or postgresql+asyncpg://USER:PASSWORD@HOST:PORT/NAME (PostgreSQL 14 or newer)."""
    lock_timeout: Wait = seconds(5)
    """How long a write waits for the lock that another process holds; then its client hears a temporary error."""
    statement_timeout: Wait = seconds(30)
    """How long one statement, or one batch of writes, may run before it is given up: a stuck disk must not hold every client."""


class TLS(Section, frozen=True):
    """The certificate that every listener shows."""

    certificate: Path = Path("tls/server.crt")
    """The certificate and its chain, PEM, the server's own first. A relative path counts from server.data."""
    key: Path = Path("tls/server.key")
    """The certificate's private key, PEM, without a passphrase, readable by the server alone. A relative path counts from server.data."""
    hello_timeout: Wait = seconds(10)
    """How long a client may take to begin TLS on a port that speaks it from the first octet. One that stays silent waits for
    a greeting in clear: it is told its mistake, and the log names the cure."""


class Listener(Section, frozen=True):
    """What every listener has."""

    enabled: bool = True
    """Whether to listen at all."""
    port: Port = 1
    """The TCP port."""
    command_timeout: Wait = minutes(5)
    """Close a connection that stays silent this long."""
    line_octets: Annotated[Octets, Least(Octets(512)), Most(mib(1))] = kib(8)
    """The longest line of a command; a longer one is skipped and refused."""
    most_connections: Count = 1_000
    """Connections at one time. Further ones are told to come back."""
    most_per_address: Count = 50
    """Connections at one time from one address, so that no single peer takes them all; an office behind one router needs room."""
    most_errors: Count = 20
    """Commands in a row that are not understood, before the server hangs up."""
    without: tuple[str, ...] = ()
    """Extensions that are neither announced nor spoken here, by their names in EHLO, CAPA or CAPABILITY: to teach what each one is for,
    or for a client that stumbles over one."""


class SMTP(Listener, frozen=True):
    """Mail from other hosts (RFC 5321). STARTTLS is offered; a login is not, it belongs to submission."""

    port: Port = 25
    """The TCP port. Other hosts know no other than 25."""
    command_timeout: Wait = minutes(5)
    """Close a connection that stays silent this long (RFC 5321 section 4.5.3.2.7)."""
    line_octets: Annotated[Octets, Least(Octets(512), "RFC 5321 section 4.5.3.1.4"), Most(mib(1))] = kib(12)
    """The longest command line: 512 octets are asked for (RFC 5321 section 4.5.3.1.4), an AUTH response may have 12,288 (RFC 4954 section 4)."""
    data_timeout: Wait = minutes(5)
    """Close a connection that falls silent in the middle of a message (RFC 5321 section 4.5.3.2.5 lets clients wait 3 minutes)."""
    message_timeout: Annotated[Duration, Least(minutes(1))] = hours(2)
    """Close a connection whose message is not whole after this long, however busily it sends."""
    least_rate: Annotated[Octets, Least(Octets(0)), Most(mib(1))] = Octets(100)
    """Octets a second: close a connection whose message comes more slowly, on the average and after data_timeout, so that a trickle
    holds no connection for hours. 0 is no least rate."""
    most_recipients: Annotated[int, Least(100, "RFC 5321 section 4.5.3.1.8"), Most(999_999, "RFC 9422 section 4.2")] = (
        1_000
    )
    """Recipients of one message; the next is told 452 and the client sends it again later (RFC 5321 section 4.5.3.1.10). Announced
    as RCPTMAX (RFC 9422)."""
    most_transactions: Annotated[int, Least(1), Most(999_999, "RFC 9422 section 4.1")] = 10_000
    """MAIL commands in one connection; the next is told 421, and the client opens another one. Announced as MAILMAX (RFC 9422)."""
    most_commands: Annotated[int, Least(20)] = 1_000
    """Commands in a row that bring neither a message nor a recipient, before the server hangs up: who only asks, or tries out
    addresses, keeps others waiting."""
    most_hops: Annotated[int, Least(10)] = 100
    """Received fields; a message with more is in a loop and is refused. At least 100 should pass (RFC 5321 section 6.3)."""
    most_visits: Annotated[int, Least(2), Most(100)] = 5
    """Received fields that name this server itself (server.host); a message with more is refused, long before most_hops. A list elsewhere
    may bring a message back once or twice; two who forward to each other bring it back for ever."""
    message_octets: Annotated[Octets, Least(kib(64), "RFC 5321 section 4.5.3.1.7"), Most(Octets(1 << 30))] = mib(50)
    """The largest message; announced as SIZE (RFC 1870 section 3). It is the only bound on one line of text: longer ones than
    the 1,000 octets of RFC 5321 section 4.5.3.1.6 are sent, so they are taken."""
    shortest_deliver_by: Annotated[Duration, Least(seconds(0)), Most(hours(1))] = seconds(10)
    """The shortest time within which a message may be asked to be delivered or else returned (DELIVERBY, RFC 2852; announced with it).
    It does not count for "deliver or tell me". "0s" sets no limit; `without = ["DELIVERBY"]` does not offer it. Less than submission
    asks for, so that time is left for the way here."""
    highest_priority: Annotated[int, Least(0), Most(9)] = 0
    """The highest priority that a message may ask for (MT-PRIORITY, -9 to 9, RFC 6710); a higher one is lowered to it, and the client
    told so. In the queue the higher priority goes first, so strangers are granted none above 0."""
    bare_newlines: Literal["refuse", "normalise"] = "refuse"
    """What a CR or LF that stands alone gets: "refuse" (550 5.6.0), or "normalise" to CRLF. Only CRLF.CRLF ends a message, in either case."""


class Submission(SMTP, frozen=True):
    """Mail from our own users, STARTTLS before the login (RFC 6409)."""

    port: Port = 587
    """The TCP port (RFC 6409 section 3.1)."""
    highest_priority: Annotated[int, Least(0), Most(9)] = 4
    """The highest priority that a message may ask for (MT-PRIORITY, -9 to 9, RFC 6710); a higher one is lowered to it, and the client
    told so. In the queue the higher priority goes first; 4 is what is called urgent."""
    shortest_deliver_by: Annotated[Duration, Least(seconds(0)), Most(hours(1))] = seconds(30)
    """The shortest time within which a message may be asked to be delivered or else returned (DELIVERBY, RFC 2852; announced with it).
    It does not count for "deliver or tell me". "0s" sets no limit; `without = ["DELIVERBY"]` does not offer it."""
    longest_hold: Annotated[Duration, Least(seconds(0)), Most(days(1_000))] = days(30)
    """For how long a client may have a message held back (FUTURERELEASE, RFC 4865). "0s" does not offer it."""


class Submissions(Submission, frozen=True):
    """Mail from our own users, TLS from the first octet (RFC 8314 section 3.3)."""

    port: Port = 465
    """The TCP port (RFC 8314 section 7.3). Outlook and Foxmail call it SSL/TLS."""


class POP3(Listener, frozen=True):
    """A maildrop to fetch from, STLS before the login (RFC 1939, RFC 2595)."""

    port: Port = 110
    """The TCP port."""
    command_timeout: Wait = minutes(10)
    """Close a connection that stays silent this long, deleting nothing; 10 minutes at least are asked for (RFC 1939 section 3)."""


class POP3S(POP3, frozen=True):
    """A maildrop to fetch from, TLS from the first octet (RFC 8314 section 3.3)."""

    port: Port = 995
    """The TCP port."""


class IMAP(Listener, frozen=True):
    """Mailboxes that stay on the server, STARTTLS before the login (RFC 3501)."""

    port: Port = 143
    """The TCP port."""
    command_timeout: Wait = minutes(30)
    """Close a connection that stays silent this long; 30 minutes at least are asked for (RFC 3501 section 5.4), as clients in
    IDLE ask again every 29 (RFC 2177 section 3)."""
    idle_notice: Wait = minutes(4)
    """How often a client in IDLE hears "* OK Still here": routers forget a connection without traffic in 5 minutes or more, and Outlook
    does not notice. It does not put off the end by command_timeout."""
    line_octets: Annotated[Octets, Least(kib(8), "RFC 7162 section 4"), Most(mib(1))] = kib(64)
    """The longest command line without its literals. 8,192 octets are asked for (RFC 7162 section 4); clients write long lists of UIDs."""
    most_connections: Count = 4_000
    """Connections at one time. Further ones are told to come back; IMAP clients stay for hours, each with several."""


class IMAPS(IMAP, frozen=True):
    """Mailboxes that stay on the server, TLS from the first octet (RFC 8314 section 3.2)."""

    port: Port = 993
    """The TCP port."""


class Login(Section, frozen=True):
    """Passwords: how often they may be wrong, and what it costs to try one."""

    allow_plaintext: bool = False
    """Whether a password may be sent without TLS. For labs and tests on a network of their own."""
    tries: Count = 5
    """Wrong passwords in one connection, before the server hangs up."""
    failure_delay: Span = seconds(1)
    """How long the answer to a wrong password waits; an unknown user costs the same."""
    cache_seconds: Annotated[int, Least(0), Most(86_400)] = 3_600
    """How many seconds a verified password is remembered in memory (never the password itself). Clients log in every few minutes; a hash
    costs 22 ms, a look 1 us. 0 remembers nothing. A changed password counts at once in any case."""
    argon2_passes: Annotated[int, Least(1), Most(100)] = 2
    """argon2id passes over its memory (t)."""
    argon2_memory: Annotated[Octets, Least(kib(8)), Most(mib(1024))] = mib(19)
    """argon2id memory for one hash (m). With two passes and one lane it takes 22 ms, and a thief with a graphics card not less."""
    argon2_lanes: Annotated[int, Least(1), Most(16)] = 1
    """argon2id lanes (p)."""
    threads: Annotated[int, Least(1), Most(64)] = 2
    """Threads that verify passwords, so that the others are not kept waiting."""
    queue: Count = 200
    """Logins that may wait for a thread; further ones are told to try again later, and memory stays bounded."""


class Store(Section, frozen=True):
    """How messages are kept, and for how long what is no longer seen."""

    inline_octets: Annotated[Octets, Least(Octets(0)), Most(mib(1))] = kib(64)
    """Messages up to this size are kept, compressed, in the database row; larger ones are files of their own."""
    keep_expunged: Span = days(7)
    """How long an expunged message can still be brought back."""
    keep_deliveries: Span = days(30)
    """How long finished deliveries stay, for the question "where is my mail?"."""
    sweep_interval: Wait = minutes(10)
    """How often the sweeper looks for what is over its time."""
    orphan_age: Annotated[Duration, Least(hours(1))] = hours(24)
    """How old a file without a row must be before it is removed: it may belong to a message that is being received."""


class Limits(Section, frozen=True):
    """Bounds on what one message may cost, however it is built. It is stored and served whole in any case."""

    mime_parts: Annotated[int, Least(1), Most(100_000)] = 10_000
    """MIME parts whose structure is described; what follows counts as the text of the last one."""
    mime_depth: Annotated[int, Least(1), Most(500)] = 100
    """How deep MIME parts may nest in each other; deeper ones are taken as plain octets."""
    header_octets: Annotated[Octets, Least(kib(16)), Most(mib(16))] = mib(1)
    """Octets of one header block that are looked at for ENVELOPE and search. What comes by SMTP with a larger one is refused (552)."""
    most_mailboxes: Annotated[int, Least(10), Most(100_000)] = 10_000
    """Mailboxes of one account, by CREATE and RENAME. Names that it is subscribed to may be twice as many: they stay when a mailbox is gone."""


class DNS(Section, frozen=True):
    """Where names are looked up."""

    servers: tuple[str, ...] = ()
    """Name servers, each "ADDRESS" or "ADDRESS:PORT" ("[ADDRESS]:PORT" for IPv6). None: those of the system (/etc/resolv.conf)."""
    timeout: Wait = seconds(15)
    """How long one question may take with all its tries; then the mail waits and is tried again."""


class Relay(Section, frozen=True):
    """Mail for other hosts."""

    enabled: bool = True
    """Whether to send it. Switched off, it is accepted from users and waits."""
    networks: tuple[str, ...] = ()
    """Networks whose hosts send through this server without a login, on the port of [smtp]: printers, scanners, programs of your own; such as
    "192.0.2.0/24" or "2001:db8::/32". They may send as anybody: name your own networks only, and none in which a proxy or a
    container's gateway stands for all who come from outside. None: nobody."""
    port: Port = 25
    """The TCP port of other hosts. They know no other than 25; labs do."""
    connect_map: dict[str, str] = {}
    """For labs and split networks: "HOST:PORT" as found by DNS, and "ADDRESS:PORT" to connect to in its place."""
    allow_private_targets: bool = False
    """Whether to connect to addresses that are not on the Internet. Whoever has a domain could else lead our mail into our own network."""
    source_address: Annotated[
        str, Form(r"([0-9]+(\.[0-9]+){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)?", "192.0.2.1", "an IP address")
    ] = ""
    """The address that connections come from, the one that has the reverse DNS name. Empty: the system chooses."""
    connect_timeout: Wait = seconds(30)
    """How long a host may take to answer a connection; then the next one is tried."""
    routes: dict[str, str] = {}
    """Where mail for a domain goes, if not to its MX hosts: "DOMAIN" (or "*.DOMAIN", or "*" for all others) and "smtp:HOST:PORT", "smtps:HOST:PORT"
    for TLS from the first octet, as port 465 means too, "lmtp:HOST:PORT", "lmtp:/PATH" of a socket, or "mx". An address stands in brackets."""
    user: str = ""
    """The user to log in as at the smarthost, the host of "*" in relay.routes. TLS and a certificate that proves its name are then required."""
    password_file: str = ""
    """The file that holds this user's password, readable by the server alone (mode 0600). A relative path counts from server.data."""
    ca: str = ""
    """A file of certificates (PEM) that a smarthost's own is proven by. Empty: the system's authorities. A relative path counts from server.data."""
    clear_after_failed_tls: bool = True
    """Whether mail goes in clear to an MX host that offers TLS and then fails at it. Against those who only listen some TLS is better than
    none, and none better than no mail (RFC 7435); never at the smarthost."""
    most_addresses: Annotated[int, Least(1), Most(100)] = 10
    """Addresses that one try goes through before the destination is left for later."""
    open_timeout: Wait = minutes(15)
    """How long one try may take until a host is ready to take mail, with all its addresses."""
    greeting_timeout: Wait = minutes(5)
    """How long a host may take to greet (RFC 5321 section 4.5.3.2.1)."""
    command_timeout: Wait = minutes(5)
    """How long it may take to answer a command (RFC 5321 sections 4.5.3.2.2 and 4.5.3.2.3)."""
    data_timeout: Wait = minutes(2)
    """How long it may take to answer DATA (RFC 5321 section 4.5.3.2.4)."""
    block_timeout: Wait = minutes(3)
    """How long it may take to read a piece of a message (RFC 5321 section 4.5.3.2.5)."""
    end_timeout: Wait = minutes(10)
    """How long it may take to answer the end of a message (RFC 5321 section 4.5.3.2.6); to give up sooner makes duplicates."""
    message_timeout: Annotated[Duration, Least(seconds(1))] = hours(2)
    """How long one message may take, however busily the host reads."""
    retry_after: Annotated[tuple[Duration, ...], Each(Least(seconds(1)), is_needed=True)] = tuple(
        minutes(each) for each in (1, 5, 10, 20, 40, 60, 120, 240)
    )
    """How long mail that could not be handed over waits after its first try, its second, and so on; the last one again and again. Each
    wait is a tenth longer or shorter by chance: what failed together must not come again together."""
    give_up_after: Wait = days(5)
    """When it is returned to its sender (RFC 5321 section 4.5.4.1: at least four to five days)."""
    most_connections: Annotated[int, Least(1), Most(1_000)] = 10
    """Connections to one destination: two at first, more while it goes well, half as many when one fails."""
    most_connections_in_all: Annotated[int, Least(2), Most(10_000)] = 500
    """To all of them; destinations of which nobody knows whether they can be reached take half of these at most."""
    idle_timeout: Span = seconds(3)
    """How long a connection is kept for the next message to the same destination."""
    lease: Annotated[Duration, Least(seconds(1))] = minutes(15)
    """How long mail stays with the node that has begun to carry it, counted anew while that one lives: when it dies, other nodes on the same
    database wait so long before they take its mail. By itself it goes on as soon as it starts again."""
    rates: Annotated[dict[str, int], Each(Least(1))] = {}
    """Messages a minute to a destination, for those that mind: "DOMAIN" or the "HOST" of a route, "*" for each of the others. None: as
    fast as they take it."""
    warn_after: Wait = hours(4)
    """When a sender hears that a message of his is on its way still; once for each message."""
    gather_failures: Wait = minutes(1)
    """How long the failures of one message are gathered for one notice, while others of its recipients are on their way. Each further notice
    of the same message takes twice as long: a letter to ten thousand dead addresses gives a few."""
    most_notices: Count = 100
    """Notices to one sender within an hour: of mail to a list of dead addresses, say. Further ones are in the log alone; what became of each
    message can be asked for in any case."""
    return_octets: Annotated[Octets, Least(Octets(0)), Most(mib(10))] = kib(256)
    """The largest message that comes back whole with a notice, where its sender asked for that (RET=FULL, RFC 3461 section 4.3); else its
    header does."""


class Trace(Section, frozen=True):
    """What `mailhost trace` can tell beside the ledger: who fetched, flagged, moved or deleted a message, and what was refused."""

    keep_events: Span = days(30)
    """How long events stay. "0s" records none."""
    delay: Annotated[Duration, Least(milliseconds(10)), Most(minutes(1))] = milliseconds(250)
    """How long events are gathered before they are written together. A crash costs as much of them; never mail."""
    most_a_minute: Count = 1_000
    """Refusals, wrong passwords and mistakes of clients that are recorded in a minute: strangers must not fill the disk with them."""


class Log(Section, frozen=True):
    """What the server says of itself, on standard error. Never a password, never a body."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important line that is written."""
    format: Literal["text", "json"] = "text"
    """"text" for people, "json" for programs: one object a line."""


class Config(Section, frozen=True):
    """All settings, as `mailhost.config.load` gives them: its paths are absolute."""

    server: Server = Server()
    database: Database = Database()
    tls: TLS = TLS()
    smtp: SMTP = SMTP()
    submission: Submission = Submission()
    submissions: Submissions = Submissions()
    pop3: POP3 = POP3()
    pop3s: POP3S = POP3S()
    imap: IMAP = IMAP()
    imaps: IMAPS = IMAPS()
    login: Login = Login()
    store: Store = Store()
    limits: Limits = Limits()
    dns: DNS = DNS()
    relay: Relay = Relay()
    trace: Trace = Trace()
    log: Log = Log()

    @property
    def listeners(self) -> dict[str, Listener]:
        """The listeners that are enabled, by the names of their sections, in the order of the file."""
        return {name: one for name in LISTENERS if isinstance(one := getattr(self, name), Listener) and one.enabled}

    @property
    def sqlite_path(self) -> Path | None:
        """The database file, or None on PostgreSQL."""
        return self.server.data / "mailhost.db" if self.database.url == "sqlite" else None


LISTENERS = tuple(
    name
    for name, default in zip(Config.__struct_fields__, Config.__struct_defaults__, strict=True)
    if isinstance(default, Listener)
)
