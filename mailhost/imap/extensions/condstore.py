"""CONDSTORE: each message has a mod-sequence; what changed since one is told, and STORE may be bound to one (RFC 7162 section 3.1).

A client asks for it by ENABLE or by any word of it (section 3.1); from then on each flag comes with its mod-sequence, not before.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import compress

from mailhost.conversation.command import SyntaxProblem
from mailhost.ids import Uid
from mailhost.imap.commands.fetch import Modifier as FetchModifier
from mailhost.imap.commands.fetch import Wanted
from mailhost.imap.commands.store import Modifier as StoreModifier
from mailhost.imap.extensions.extension import Extension
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status, ok
from mailhost.imap.search_keys import Indexed, KeyReader
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import IndexItem
from mailhost.imap.view import View
from mailhost.store.flags import FlagChange
from mailhost.store.values import Mailbox

ENTRY_NAME = re.compile(rb"/flags/(?:\\?[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+)", re.IGNORECASE)
ENTRY_TYPES = frozenset({b"PRIV", b"SHARED", b"ALL"})
MODSEQ = IndexItem(b"MODSEQ (%d)", View.mod_seqs_of)


def enable(session: IMAPSession) -> None:
    session.beside_flags = (*session.beside_flags, MODSEQ)
    session.after_expunge = highest


def highest(session: IMAPSession) -> str:
    """HIGHESTMODSEQ of the open mailbox: all up to it is told before the command ends (RFC 7162 sections 3.1.2.1, 3.2.7)."""
    return f"HIGHESTMODSEQ {session.selected.index.version}"


def select_says(session: IMAPSession) -> Status:
    return ok("The newest change", highest(session))


def status(_: IMAPSession, found: Mailbox) -> int:
    """HIGHESTMODSEQ (RFC 7162 section 3.1.7)"""
    return found.highest_mod_seq


def select_parameter(_: Reader) -> None:
    """CONDSTORE, alone: saying it asks for it (RFC 7162 section 3.1.8)"""


def changed_since(reader: Reader) -> FetchModifier:
    """Changedsince = "CHANGEDSINCE" SP mod-sequence-value (RFC 7162 section 3.1.4.1); Apple Mail sends 0, which is less than any"""
    reader.space()
    since = reader.mod_sequence()

    def only_changed(view: View, wanted: Wanted) -> Wanted:
        changed = [mod_seq > since for mod_seq in view.mod_seqs_of(wanted.uids)]
        return Wanted(list(compress(wanted.uids, changed)), (*wanted.items, MODSEQ))

    return only_changed


def unchanged_since(reader: Reader) -> StoreModifier:
    """Unchangedsince = "UNCHANGEDSINCE" SP mod-sequence-valzer (RFC 7162 section 3.1.3)"""
    reader.space()
    since = reader.mod_sequence()

    def bind(change: FlagChange) -> FlagChange:
        return replace(change, unchanged_since=since)

    return bind


def search_key(keys: KeyReader) -> Indexed:
    """search-modsequence = "MODSEQ" [search-modseq-ext] SP mod-sequence-valzer (RFC 7162 section 3.1.5)"""
    if keys.reader.follows(b'"'):
        entry(keys.reader)
    since = keys.reader.mod_sequence()
    keys.ends.append(newest)
    return Indexed(lambda view, uid: view.mod_seqs_of((uid,))[0] >= since)


def entry(reader: Reader) -> None:
    """search-modseq-ext = SP entry-name SP entry-type-req SP; a message has one mod-sequence here, whichever flag is meant"""
    name = reader.quoted()
    if not ENTRY_NAME.fullmatch(name):
        raise SyntaxProblem("Only flags have mod-sequences")
    reader.space()
    if reader.word() not in ENTRY_TYPES:
        raise SyntaxProblem("priv, shared or all was expected")
    reader.space()


def newest(view: View, uids: Sequence[Uid]) -> bytes:
    """search-sort-mod-seq = "(" "MODSEQ" SP mod-sequence-value ")", the highest of the messages found"""
    return b"(MODSEQ %d)" % max(view.mod_seqs_of(uids))


EXTENSION = Extension(
    "CONDSTORE",
    rfc=7162,
    enable=enable,
    enabled_by=frozenset({b"CONDSTORE", b"MODSEQ", b"CHANGEDSINCE", b"UNCHANGEDSINCE", b"HIGHESTMODSEQ"}),
    select_says=select_says,
    fetch_items={b"MODSEQ": MODSEQ},
    fetch_modifiers={b"CHANGEDSINCE": changed_since},
    store_modifiers={b"UNCHANGEDSINCE": unchanged_since},
    select_parameters={b"CONDSTORE": select_parameter},
    search_keys={b"MODSEQ": search_key},
    status_items={b"HIGHESTMODSEQ": status},
)
