"""All is looked at before anything is made; what is made first is the file of settings, by which a second call knows what is ours."""

import asyncio
import os
import sys
from pathlib import Path

import click

from mailhost.cli import authority, office
from mailhost.cli.exits import EX_CANTCREAT, EX_DATAERR, EX_SOFTWARE, EX_USAGE, Failure
from mailhost.cli.extensions import check_extensions
from mailhost.cli.files import make_password, write_new
from mailhost.cli.options import CONFIG
from mailhost.cli.settings_file import Settings
from mailhost.cli.setup.advice import advice
from mailhost.cli.setup.password import chosen
from mailhost.cli.setup.plan import DATA, Wishes, own_authority, plan
from mailhost.message.address import Address, AddressProblem, parse_address
from mailhost.transport import certificate as certificates
from mailhost.transport import user as users

PATH = click.Path(path_type=Path)


@click.command
@click.argument("address")
@CONFIG
@click.option("--data", type=PATH, default=DATA, show_default=True, help="The folder of all that is kept.")
@click.option("--host", default="", help="The server's name.  [default: mail. and the domain of ADDRESS]")
@click.option("--bind", default="", help="The address to listen on.  [default: loopback]")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input: its first line.")
@click.option("--certificate", type=PATH, help="A certificate of your own, PEM.  [default: a private CA's]")
@click.option("--key", type=PATH, help="Its private key, PEM, without a passphrase.")
@click.option("--user", default="", help="Root only: the user that the server becomes, to whom all files belong.")
@click.option("--set", "overrides", multiple=True, metavar="SECTION.KEY=VALUE", help="Any other setting.")
def command(
    address: str,
    config_path: Path,
    data: Path,
    host: str,
    bind: str,
    password_stdin: bool,
    certificate: Path | None,
    key: Path | None,
    user: str,
    overrides: tuple[str, ...],
) -> None:
    """Set up a server whose administrator is ADDRESS, such as you@example.org.

    It writes the settings, the data folder with certificate and key, the domain of ADDRESS and its account, which is the postmaster.
    Nothing is overwritten. Called again with the same words, it finishes what was broken off.
    """
    parsed = administrator(address)
    wishes = Wishes(parsed, config_path, data, host, bind, user, certificate, key, overrides)
    planned = plan(wishes)
    check(wishes, planned)
    password = chosen(str(parsed), from_stdin=password_stdin, terminal=sys.stdin.isatty())
    made = None if password else make_password()
    write(planned)
    users.become(planned.config.server.user)  # what follows is made by the one whose it is
    if own := own_authority(planned):
        authority.ensure(own, authority.names(planned.config.server.host, parsed.domain))
    asyncio.run(add_administrator(planned, str(parsed), password or made or ""))
    click.echo("".join(line + "\n" for line in advice(wishes, planned, made)), nl=False)


def administrator(written: str) -> Address:
    """Raises `Failure`."""
    try:
        return parse_address(written.encode(errors="surrogateescape"))
    except AddressProblem as problem:
        raise Failure(f"{written!a}: {problem}; write it like you@example.org", EX_DATAERR) from None


def check(wishes: Wishes, planned: Settings) -> None:
    """Raises `Failure` or `ConfigProblem` for whatever could not be made, or would be overwritten."""
    if users.is_root() and not planned.config.server.user:
        cure = "name the user that the server shall become: --user mailhost (adduser --system --group mailhost), or --user root"
        raise Failure(f"--user: the server does not run as root; {cure}", EX_USAGE)
    users.check_user(planned.config.server.user)
    check_extensions(planned.config, planned.path.name)
    if bool(wishes.certificate) != bool(wishes.key):
        raise Failure("give --certificate and --key together, or neither", EX_USAGE)
    if not own_authority(planned):
        certificates.check(planned.config.tls)
    check_place(planned)


def check_place(planned: Settings) -> None:
    """What is there is ours if the file of settings says the very same; else it is somebody's. Raises `Failure`."""
    path, data = planned.path, planned.config.server.data
    if path.exists():
        if path.read_bytes() != planned.text.encode():
            raise _is_there(path, "move it away, or name another with --config")
    elif data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise _is_there(data, "name another folder with --data")


def write(planned: Settings) -> None:
    """The settings and the empty folder, belonging to the user that the server will be."""
    path, data, name = planned.path.absolute(), planned.config.server.data, planned.config.server.user
    for folder in (path.parent, data):
        for missing in [each for each in (folder, *folder.parents) if not each.exists()][::-1]:
            missing.mkdir(mode=0o700)
            _give(missing, name)
    if not path.exists():
        write_new(path, planned.text.encode())
        _let_read(path, name)
    _give(data, name)
    data.chmod(0o700)


async def add_administrator(planned: Settings, address: str, password: str) -> None:
    """The domain with its first account, which is its postmaster. Raises `Failure`."""
    if address in {str(account.address) for account in await office.list_accounts(planned.config)}:
        raise _is_there(address, "all is set up; `mailhost run` starts the server, `mailhost user` changes the account")
    async for _, reason in office.add_accounts(planned.config, [(address, password)], add_domain=True):
        if reason is not None:
            raise Failure(f"the account {address} could not be added: {reason}", EX_SOFTWARE)


def _give(path: Path, name: str) -> None:
    if users.is_root() and name:
        entry = users.entry(name)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def _let_read(path: Path, name: str) -> None:
    """The server reads its settings, and does not write them: who could would be root at the next start."""
    if users.is_root() and name and name != users.ROOT:
        os.chown(path, 0, users.entry(name).pw_gid)
        path.chmod(0o640)


def _is_there(what: object, cure: str) -> Failure:
    return Failure(f"{what} is there already, and setup overwrites nothing; {cure}", EX_CANTCREAT)
