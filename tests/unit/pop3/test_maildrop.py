"""The maildrop: a snapshot, its marks, and the lock."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.ids import AccountId, MailboxId, ModSeq, Uid, UidValidity, text_of
from mailhost.pop3.grammar import MessageNumber
from mailhost.pop3.maildrop import Lock, Maildrop, MaildropInUse, MessageDeleted, NoSuchMessage
from mailhost.store.values import Mailbox

ALICE, BOB = AccountId(1), AccountId(2)
INBOX = Mailbox(MailboxId(7), ALICE, "INBOX", UidValidity(9), Uid(1), ModSeq(1), Uid(1), 0, 0, 0, None)
HOLDER = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


def maildrop(folder: Path, octets: list[int]) -> Maildrop:
    return Maildrop(INBOX, [(Uid(10 * place), size) for place, size in enumerate(octets, 1)], Lock(folder, ALICE))


@given(octets=st.lists(st.integers(0, 10**9), max_size=8), data=st.data())
def test_counts_and_octets_are_those_of_the_messages_that_are_left(
    tmp_path_factory: pytest.TempPathFactory, octets: list[int], data: st.DataObject
) -> None:
    with closing(maildrop(tmp_path_factory.getbasetemp() / "locks", octets)) as drop:
        marked: set[int] = set()
        for step in data.draw(st.lists(st.integers(0, len(octets) + 1), max_size=12)):
            mark(drop, marked, step, len(octets))
            left = [(number, octets[number - 1]) for number in range(1, len(octets) + 1) if number not in marked]
            assert [(each.number, each.octets) for each in drop.entries()] == left
            assert (drop.messages, drop.octets) == (len(left), sum(size for _, size in left))
            assert drop.deleted_uids() == [10 * number for number in sorted(marked)]


def mark(drop: Maildrop, marked: set[int], step: int, count: int) -> None:
    """Step 0 is RSET, any other DELE, of which the maildrop and the model say the same."""
    if step == 0:
        drop.reset()
        marked.clear()
    elif step in marked or step > count:
        with pytest.raises(MessageDeleted if step in marked else NoSuchMessage):
            drop.delete(MessageNumber(step))
    else:
        drop.delete(MessageNumber(step))
        marked.add(step)


@pytest.mark.parametrize("number", [0, 3, 10**9])
def test_a_number_beyond_the_maildrop_is_no_message(tmp_path: Path, number: int) -> None:
    with pytest.raises(NoSuchMessage):
        maildrop(tmp_path, [1, 2]).entry(MessageNumber(number))


def test_a_maildrop_has_one_lock_and_another_account_its_own(tmp_path: Path) -> None:
    first = Lock(tmp_path / "locks", ALICE)
    with pytest.raises(MaildropInUse):
        Lock(tmp_path / "locks", ALICE)
    Lock(tmp_path / "locks", BOB).release()
    first.release()
    first.release()
    Lock(tmp_path / "locks", ALICE).release()


def test_a_process_that_dies_frees_its_lock(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / text_of(ALICE))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(MaildropInUse):
            Lock(tmp_path, ALICE)
        holder.kill()
        holder.wait()
        Lock(tmp_path, ALICE).release()
