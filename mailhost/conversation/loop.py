"""The loop of a conversation: read, look up, check, parse, run, answer; the same in all three protocols."""

import asyncio
import time
from typing import Any, TypeVar

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.conversation.session import Request, Session
from mailhost.database.errors import CommitFailed, Refused
from mailhost.events.event import CLIENT_MISTAKE, CONNECTION_CLOSE, CONNECTION_OPEN, FAULT
from mailhost.transport.channel import ChannelError, Dismissed, EndOfInput, TimedOut
from mailhost.transport.mistakes import ClientMistake

R = TypeVar("R")
A = TypeVar("A")

TURN_SECONDS = 0.002
"""Reading a buffered line never suspends: after so much work the others have their turn."""


async def converse(session: Session[Any, Any]) -> None:
    """Talk until the client quits, its input ends, a deadline passes, or it makes too many mistakes."""
    peer = session.channel.peer
    session.publish(
        CONNECTION_OPEN,
        data={
            "protocol": session.protocol,
            "listener": peer.listener,
            "address": peer.address,
            "port": peer.port,
            "tls": peer.tls,
        },
    )
    cause = "end of input"
    try:
        session.channel.check()
        await session.greet()
        await _exchange(session)
        cause = "quit"
    except EndOfInput:
        pass
    except ClientMistake as mistake:
        cause = "client mistake"
        session.publish(CLIENT_MISTAKE, cause=str(mistake), data={"listener": peer.listener, "address": peer.address})
        if mistake.said:
            session.misdirected(mistake.said)
    except (TimedOut, TimeoutError):
        cause = "timeout"
        session.farewell(cause)
    except Dismissed as dismissed:
        cause = dismissed.cause
        session.farewell(cause)
    except asyncio.CancelledError:
        cause = "reset"
        session.farewell("shutdown")
        raise
    except (ChannelError, ConnectionError) as error:
        cause = type(error).__name__
    except Exception as fault:  # noqa: BLE001 - outside of a command, such as in reading one: nothing sensible can follow
        cause = "fault"
        session.publish(FAULT, cause=repr(fault), data={"exception": fault})
    finally:
        session.services.presence.leave(session.channel)
        await session.clean_up()
        session.channel.close()
        session.publish(CONNECTION_CLOSE, cause=cause)


async def _exchange(session: Session[Any, Any]) -> None:
    turn = time.perf_counter()
    while not session.ended:
        answer = await _answer(session)
        session.send(answer)
        if session.channel.is_full or not session.channel.has_input:
            await session.channel.drain()
        await session.act_after()
        if session.strikes >= session.services.limits.most_errors:
            session.farewell("errors")
            return
        if time.perf_counter() - turn > TURN_SECONDS:
            await asyncio.sleep(0)
            turn = time.perf_counter()


async def _answer(session: Session[R, A]) -> A:
    try:
        request = await _read(session)
    except SyntaxProblem as problem:
        session.strikes += 1
        return session.bad_syntax(problem)
    command = session.commands.get(request.verb)
    if command is None:
        session.strikes += 1
        return session.unknown(request.verb)
    if session.state not in command.states:
        session.strikes += 1
        return session.wrong_state(command)
    answer = await _run(session, command, request)
    await session.tell(command)
    return answer


async def _read(session: Session[R, A]) -> Request[R]:
    if session.channel.ending:  # what the client has sent ahead is not read any more
        raise Dismissed(session.channel.ending)
    session.channel.at_rest = True
    try:
        return await session.read()
    finally:
        session.channel.at_rest = False


async def _run(session: Session[R, A], command: Command[Any, R, A], request: Request[R]) -> A:
    try:
        arguments = command.parse(request.reader)
        session.understood(request)
        answer = await command.run(session, arguments)
    except SyntaxProblem as problem:
        session.strikes += 1
        return session.bad_syntax(problem)
    except Refused as refusal:
        return session.refused(refusal)
    except CommitFailed as failure:
        session.publish(FAULT, cause=f"{command.name}: {failure}")
        return session.unavailable()
    except (ChannelError, ConnectionError):
        raise
    except Exception as fault:  # noqa: BLE001 - a mistake of ours never ends in a traceback at the client
        session.publish(FAULT, cause=f"{command.name}: {fault!r}", data={"exception": fault})
        return session.fault()
    session.strikes = 0
    return answer
