"""Three clients of one mailbox, against a model that keeps a list for each."""

from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mailhost.conversation.command import SyntaxProblem
from mailhost.ids import AccountId, MailboxId, ModSeq, Uid, UidValidity
from mailhost.imap.values import STAR, MessageSet, merged
from mailhost.imap.view import FEW_BETWEEN, View
from mailhost.store.changes import Added, Expunged, Flagged
from mailhost.store.index import MailboxIndex, Snapshot
from mailhost.store.values import Flags, Mailbox, MailboxKey

KEY = MailboxKey(AccountId(1), MailboxId(2))


def index_of(uids: Sequence[int]) -> MailboxIndex:
    found = Mailbox(KEY.id, KEY.account, "INBOX", UidValidity(1), Uid(1), ModSeq(1), Uid(1), len(uids), 0, 0, None)
    return MailboxIndex(Snapshot(found, array("I", uids), array("I", [0] * len(uids)), array("Q", [1] * len(uids))))


def opened(index: MailboxIndex) -> View:
    view = View()
    index.watchers.append(view)
    view.begin(index, Uid(1))
    return view


class Client:
    """The model: a list of the UIDs that the client believes in, and the flags it knows."""

    def __init__(self, index: MailboxIndex, taken: set[int]) -> None:
        self.view = opened(index)
        self.taken = taken
        """Messages that were recent to one of the clients."""
        self.uids = list(index.uids)
        self.recent = set(index.uids) - taken
        taken.update(index.uids)
        self.flags = dict(zip(index.uids, index.flags, strict=True))

    def told(self, index: MailboxIndex, *, expunges: bool) -> None:
        before = len(self.uids)
        news = self.view.news(expunges=expunges)
        assert expunges or not news.expunged
        for number in news.expunged:
            del self.uids[number - 1]
        if news.exists is not None:
            assert news.exists > before - len(news.expunged)
            added = [uid for uid in index.uids if not self.uids or uid > max(self.uids)]
            self.uids += added[: news.exists - len(self.uids)]
            self.flags.update({uid: index.flags[index.uids.index(uid)] for uid in added})
            assert len(self.uids) == news.exists
            self.recent.update(uid for uid in added if uid not in self.taken)
            self.taken.update(added)
            assert news.recent == len(self.recent & set(self.uids))
        for uid in news.flags:
            assert uid in self.uids
            now = self.view.flags(uid)
            assert now is not None
            self.flags[uid] = now


class ThreeClients(RuleBasedStateMachine):
    @initialize(count=st.integers(0, 12))
    def begin(self, count: int) -> None:
        self.index = index_of(range(1, count + 1))
        self.last = count
        taken: set[int] = set()
        self.clients = [Client(self.index, taken) for _ in range(3)]

    def _apply(self, change: type[Added | Flagged | Expunged], what: tuple) -> None:  # type: ignore[type-arg]  # each kind has its own
        version = self.index.version
        assert self.index.apply(change(KEY, version, ModSeq(version + 1), what))
        self.index.tell()

    @rule(count=st.integers(1, 4))
    def messages_come(self, count: int) -> None:
        new = tuple((Uid(self.last + place + 1), Flags(0)) for place in range(count))
        self.last += count
        self._apply(Added, new)

    @rule(data=st.data())
    def messages_go(self, data: st.DataObject) -> None:
        if len(self.index):
            gone = data.draw(st.sets(st.sampled_from(list(self.index.uids)), min_size=1))
            self._apply(Expunged, tuple(sorted(Uid(uid) for uid in gone)))

    @rule(data=st.data(), who=st.integers(0, 2), flags=st.integers(0, 31))
    def flags_are_set_by_one_of_them(self, data: st.DataObject, who: int, flags: int) -> None:
        client = self.clients[who]
        mine = [uid for uid in client.uids if self.index.place(Uid(uid)) is not None]
        if mine:
            uid = Uid(data.draw(st.sampled_from(mine)))
            self._apply(Flagged, ((uid, Flags(flags)),))
            client.view.knows(self.index.version)
            client.flags[uid] = flags

    @rule(who=st.integers(0, 2), expunges=st.booleans())
    def one_is_told(self, who: int, expunges: bool) -> None:
        self.clients[who].told(self.index, expunges=expunges)

    @rule(who=st.integers(0, 2))
    def one_that_was_told_all_believes_what_is(self, who: int) -> None:
        client = self.clients[who]
        client.told(self.index, expunges=True)
        assert client.uids == list(self.index.uids)
        assert [client.flags[uid] for uid in client.uids] == list(self.index.flags)
        news = client.view.news(expunges=True)
        assert (news.expunged, news.exists, news.flags) == ((), None, ())

    @invariant()
    def numbers_and_uids_are_what_each_was_told(self) -> None:
        for client in getattr(self, "clients", []):
            view, uids = client.view, client.uids
            assert view.exists == len(uids)
            assert view.last_uid == (uids[-1] if uids else 0)
            assert [view.number(uid) for uid in uids] == list(range(1, len(uids) + 1))
            for step in (1, 2, FEW_BETWEEN + 1):  # neighbours, most of them, few of them
                assert list(view.numbers(uids[::step])) == list(range(1, len(uids) + 1, step))
            everything = MessageSet(((1, STAR),))
            assert list(view.uids(everything)) == uids
            assert list(view.uids(MessageSet(((1, STAR),), by_uid=True))) == uids
            for low in range(1, len(uids) + 1, 3):
                high = min(low + 2, len(uids))
                assert list(view.uids(MessageSet(((low, high),)))) == uids[low - 1 : high]
                by_uid = MessageSet(((low, high),), by_uid=True)
                assert list(view.uids(by_uid)) == [uid for uid in uids if low <= uid <= high]
            assert view.recent == len(client.recent & set(uids))
            assert list(view.are_recent(uids)) == [uid in client.recent for uid in uids]
            mod_seqs = dict(zip(self.index.uids, self.index.mod_seqs, strict=True))
            assert list(view.mod_seqs_of(uids)) == [mod_seqs.get(uid, self.index.version) for uid in uids]
            flags = view.flags_of(uids, 99)
            assert flags == [99 if view.flags(uid) is None else view.flags(uid) for uid in uids]


TestThreeClients = ThreeClients.TestCase


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=1, max_size=5))
def test_a_set_of_numbers_beyond_the_last_is_refused(pairs: list[tuple[int, int]]) -> None:
    view = opened(index_of(range(1, 11)))
    ranges = merged((min(pair), max(pair)) for pair in pairs)
    if ranges[-1][1] > 10:
        with pytest.raises(SyntaxProblem):
            view.uids(MessageSet(tuple(ranges)))
    else:
        assert len(view.uids(MessageSet(tuple(ranges)))) == sum(high - low + 1 for low, high in ranges)


def test_a_view_holds_nothing_of_messages_that_came_and_went_untold() -> None:
    index = index_of([1, 2])
    view = opened(index)
    for uid in range(3, 100):
        index.apply(Added(KEY, index.version, ModSeq(index.version + 1), ((Uid(uid), Flags(0)),)))
        index.apply(Expunged(KEY, index.version, ModSeq(index.version + 1), (Uid(uid),)))
    assert view._untold == []
    assert view.news(expunges=True).exists is None


def test_a_client_that_only_fetches_never_hears_an_expunge_and_its_numbers_stand() -> None:
    index = index_of([1, 2, 3])
    view = opened(index)
    index.apply(Expunged(KEY, index.version, ModSeq(index.version + 1), (Uid(2),)))
    index.apply(Added(KEY, index.version, ModSeq(index.version + 1), ((Uid(4), Flags(0)),)))
    news = view.news(expunges=False)
    assert (news.expunged, news.exists) == ((), 4)
    assert [view.number(Uid(uid)) for uid in (1, 2, 3, 4)] == [1, 2, 3, 4]
    assert view.news(expunges=True).expunged == (2,)
    assert view.exists == 3
