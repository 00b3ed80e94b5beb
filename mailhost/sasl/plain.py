"""PLAIN: user and password in one response (RFC 4616)."""

from mailhost.sasl.mechanism import Ask, Credentials, Mechanism, SASLProblem, text


async def exchange(initial: bytes | None, ask: Ask) -> Credentials:
    """Message = [authzid] UTF8NUL authcid UTF8NUL passwd"""
    response = await ask(b"") if initial is None else initial
    parts = response.split(b"\0")
    if len(parts) != 3:
        raise SASLProblem("PLAIN is an identity to act as, NUL, the user, NUL, the password")
    authorize, user, password = map(text, parts)
    return Credentials(user, password, authorize)


MECHANISM = Mechanism("PLAIN", exchange)
