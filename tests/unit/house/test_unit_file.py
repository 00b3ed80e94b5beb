"""etc/mailhost.service: systemd knows each key, and paths and limits are those of the settings' defaults."""

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mailhost.cli import COMMANDS
from mailhost.cli.exits import EX_CONFIG, EX_NOPERM, EX_USAGE
from mailhost.cli.run import command
from mailhost.config.settings import Config

FILE = Path(__file__).parents[3] / "etc" / "mailhost.service"
KNOWN = {
    "Unit": "Description Wants After StartLimitIntervalSec StartLimitBurst",
    "Service": """Type NotifyAccess ExecStart ExecReload KillMode TimeoutStartSec TimeoutStopSec Restart RestartSec
        RestartPreventExitStatus User Group AmbientCapabilities CapabilityBoundingSet NoNewPrivileges StateDirectory
        StateDirectoryMode UMask LimitNOFILE MemoryMax LimitCORE ProtectSystem ProtectHome PrivateTmp PrivateDevices ProtectClock
        ProtectControlGroups ProtectHostname ProtectKernelLogs ProtectKernelModules ProtectKernelTunables ProtectProc
        ProcSubset RemoveIPC RestrictAddressFamilies RestrictNamespaces RestrictRealtime RestrictSUIDSGID LockPersonality
        SystemCallArchitectures SystemCallFilter SystemCallErrorNumber""",
    "Install": "WantedBy",
}
"""As systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.kill(5) and systemd.resource-control(5) name them."""
UNITS = {"s": 1, "min": 60}


def parsed() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Sections, keys, values; a key may stand more than once. What is neither is a mistake."""
    found: dict[str, dict[str, list[str]]] = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = found.setdefault(header[1], defaultdict(list))
        elif line and not line.startswith("#"):
            key, value = re.fullmatch(r"(\w+)=(.+)", line).groups()  # type: ignore[union-attr]  # None is the mistake
            section[key].append(value)
    return found


SERVICE = {key: values[-1] for key, values in parsed()["Service"].items()}


def seconds(written: str) -> int:
    amount, unit = re.fullmatch(r"(\d+)(s|min)", written).groups()  # type: ignore[union-attr]  # None is the mistake
    return int(amount) * UNITS[unit]


@pytest.mark.parametrize("section", KNOWN)
def test_each_key_is_one_that_systemd_knows_there(section: str) -> None:
    assert set(parsed()) == set(KNOWN)
    assert set(parsed()[section]) == set(KNOWN[section].split())


def test_paths_are_those_of_the_defaults() -> None:
    program, *words = SERVICE["ExecStart"].split()
    config = next(each.default for each in command.params if each.name == "config_path")
    assert Path(program).name == "mailhost"
    assert words == ["run", "--config", str(config)]
    assert words[0] in COMMANDS
    assert Path("/var/lib") / SERVICE["StateDirectory"] == Config().server.data
    assert (SERVICE["StateDirectoryMode"], SERVICE["UMask"]) == ("0700", "0077")


def test_limits_agree_with_the_defaults() -> None:
    assert int(SERVICE["LimitNOFILE"]) >= Config().server.open_files
    assert seconds(SERVICE["TimeoutStopSec"]) > Config().server.grace.total_seconds()
    assert set(map(int, SERVICE["RestartPreventExitStatus"].split())) == {EX_USAGE, EX_NOPERM, EX_CONFIG}


def test_it_is_no_root_s_and_may_no_more_than_bind_ports() -> None:
    assert (SERVICE["User"], SERVICE["Group"], SERVICE["NoNewPrivileges"]) == ("mailhost", "mailhost", "yes")
    assert SERVICE["AmbientCapabilities"] == SERVICE["CapabilityBoundingSet"] == "CAP_NET_BIND_SERVICE"


def test_systemd_itself_finds_nothing_wrong_where_it_is_installed(tmp_path: Path) -> None:
    """Else the tables above are all there is."""
    verify = shutil.which("systemd-analyze")
    copy = tmp_path / FILE.name
    copy.write_text(FILE.read_text(encoding="utf-8").replace("/opt/mailhost/bin/mailhost", sys.executable))
    assert sys.executable in copy.read_text(encoding="utf-8")
    if verify:
        ended = subprocess.run([verify, "verify", str(copy)], capture_output=True, text=True, check=False)
        said = [line for line in ended.stderr.splitlines() if FILE.name in line]
        assert said == []
