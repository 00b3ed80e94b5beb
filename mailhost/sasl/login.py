"""LOGIN: user and password each asked for; in no RFC, and all that Outlook knows (draft-murchison-sasl-login-00)."""

from mailhost.sasl.mechanism import Ask, Credentials, Mechanism, text


async def exchange(initial: bytes | None, ask: Ask) -> Credentials:
    """The prompts are these, letter for letter: clients look for them. Printers send the user with the command itself."""
    user = await ask(b"Username:") if initial is None else initial
    password = await ask(b"Password:")
    return Credentials(text(user), text(password))


MECHANISM = Mechanism("LOGIN", exchange)
