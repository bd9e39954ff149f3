"""`muster doctor` on a real Synapse: green when all is well, and for each thing that is wrong its name and its mend."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from ruamel.yaml import YAML

from bridge.cli import doctor
from bridge.database.embedded import EmbeddedPostgres
from bridge.demo.synapse import AccessToken, LocalSynapse
from bridge.homeserver import registration as registration_file
from bridge.homeserver.client import Homeserver
from bridge.homeserver.registration import Registration
from bridge.homeserver.transport import Transport
from bridge.process import child, free_port
from tests.acceptance.client import MatrixClient
from tests.acceptance.conftest import SERVER_NAME, Address
from tests.waiting import wait_until

NOWHERE = "http://127.0.0.1:9"
GREEN = [
    "configuration",
    "secrets",
    "rate limits",
    "policy",
    "encryption",
    "database",
    "clock",
    "ledger",
    "user directory",
    "privacy",
    "homeserver",
    "registration",
    "way back",
    "bot",
    "admin rights",
    "namespaces",
    "clients",
]


@dataclass
class Installation:
    """The files of an installation, to be broken one by one."""

    folder: Path

    def change(self, name: str, old: str, new: str) -> None:
        """Change a file; what is to be changed must be there."""
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


@pytest.fixture
async def installation(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    synapse: LocalSynapse,
    synapse_admin: AccessToken,
    http: aiohttp.ClientSession,
    registration: Registration,
    appservice_address: Address,
    database_url: str,
) -> Installation:
    """A good installation, whose bot is a server administrator; the service does not run."""
    bot = registration.bot(SERVER_NAME)
    transport = Transport(http, synapse.url, registration.as_token)
    await Homeserver(transport, bot=bot, server_name=SERVER_NAME, appservice_id="muster").register_bot()
    admin = await MatrixClient.of_token(http, synapse.url, synapse_admin)
    await admin.request("PUT", f"/_synapse/admin/v1/users/{bot}/admin", {"admin": True})
    listen = f"{appservice_address.host}:{appservice_address.port}"
    files = {
        "registration.yaml": registration_file.text(registration, url=f"http://{listen}", server_name=SERVER_NAME),
        "policy.yaml": "version: 1\ncompany: Company\n",
        "config.yaml": f"homeserver:\n  url: {synapse.url}\n  server_name: {SERVER_NAME}\n"
        f"appservice: {{listen: '{listen}'}}\ndatabase: {database_url}\n",
    }
    for name, text in files.items():
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return Installation(tmp_path)


@dataclass(frozen=True)
class Report:
    """What the doctor said."""

    code: int
    text: str

    def line(self, mark: str, check: str) -> str:
        """Return one check's lines as one; fail the test when it ended otherwise."""
        lines = self.text.splitlines()
        start = next((i for i, line in enumerate(lines) if line.startswith(f"{mark:<5} {check:<15}".rstrip())), None)
        assert start is not None, f"expected {mark} {check} in:\n{self.text}"
        rest = lines[start + 1 :]
        end = next((i for i, line in enumerate(rest) if line[:1].strip() or not line), len(rest))
        return " ".join(" ".join([lines[start], *rest[:end]]).split())

    @property
    def checks(self) -> list[str]:
        """The names of the checks, in order."""
        return [line[6:21].strip() for line in self.text.splitlines() if line[:5].strip() in ("ok", "hint", "FAIL")]


async def examined(capsys: pytest.CaptureFixture[str]) -> Report:
    """Run the doctor; whatever it says fits a terminal."""
    code = await doctor.doctor(argparse.Namespace(config=Path("config.yaml"), json=False))
    text = capsys.readouterr().out
    assert [line for line in text.splitlines() if len(line) > 80] == []
    return Report(code, text)


async def test_a_good_installation_is_green(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """Every check is ok, and the exit code is 0; it can be repeated."""
    for _ in range(2):
        report = await examined(capsys)
        assert report.code == 0, report.text
        assert report.checks == GREEN
        assert "FAIL" not in report.text


async def test_scripts_get_json(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """The same findings, each with its grade and its mend."""
    installation.change("config.yaml", SERVER_NAME, "other.example")
    assert await doctor.doctor(argparse.Namespace(config=Path("config.yaml"), json=True)) == 1
    findings = json.loads(capsys.readouterr().out)
    assert {finding["grade"] for finding in findings} == {"ok", "failed"}
    assert findings[-1]["check"] == "registration"
    assert "server_name" in findings[-1]["mend"]


@pytest.mark.parametrize(
    ("name", "old", "new", "check", "words"),
    [
        ("registration.yaml", '"as-token"', '"other"', "registration", "app_service_config_files"),
        ("config.yaml", SERVER_NAME, "other.example", "registration", "Mend `homeserver.server_name`"),
        ("config.yaml", "  url: http://127", "  url: http://localhost:9/#", "homeserver", "Start Synapse, or mend"),
        ("registration.yaml", '"hs-token"', '"other"', "way back", "restart both Synapse and Muster"),
        ("config.yaml", "listen: '127.0.0.1", "listen: '192.0.2.1", "address", "Mend `appservice.listen`"),
        ("policy.yaml", "company", "compani", "policy", "policy.yaml:1:1: error: `company` is missing and 1 more"),
        ("policy.yaml", "version: 1", "version: 7", "policy", "Mend what `muster check` names"),
        (
            "config.yaml",
            "database: ",
            "database: postgresql://127.0.0.1:9/m #",
            "database",
            "Start it, or mend `database`",
        ),
        ("config.yaml", "database: ", "log: loud\ndatabase: ", "configuration", "expected error or warning or info"),
    ],
)
async def test_what_is_wrong_is_named_with_its_mend(
    installation: Installation,
    capsys: pytest.CaptureFixture[str],
    name: str,
    old: str,
    new: str,
    check: str,
    words: str,
) -> None:
    """The check fails, says what to do, and the exit code is 1."""
    installation.change(name, old, new)
    report = await examined(capsys)
    assert report.code == 1
    assert words in report.line("FAIL", check)
    assert "muster doctor` again" in report.text


async def test_a_failure_that_explains_the_rest_ends_the_list(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """With Synapse away there is one line about it and not six."""
    installation.change("config.yaml", "  url: http://127", "  url: http://localhost:9/#")
    report = await examined(capsys)
    assert report.checks == GREEN[: GREEN.index("homeserver") + 1]
    assert report.text.count("FAIL") == 1


async def test_an_address_at_which_nobody_listens_is_told(
    installation: Installation, appservice_address: Address, capsys: pytest.CaptureFixture[str]
) -> None:
    """Synapse calls the address in the registration that it has loaded; Muster listens elsewhere."""
    installation.change("config.yaml", str(appservice_address.port), str(free_port()))
    report = await examined(capsys)
    assert "must be where Synapse reaches `appservice.listen`" in report.line("FAIL", "way back")
    report.line("ok", "admin rights")


async def test_an_open_registration_is_told(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """It opens everybody's account."""
    (installation.folder / "registration.yaml").chmod(0o644)
    report = await examined(capsys)
    assert report.code == 1
    assert "chmod o-rwx registration.yaml" in report.line("FAIL", "secrets")


async def test_rate_limits_are_a_hint(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """Muster works, slowly; that is no failure."""
    installation.change("registration.yaml", "rate_limited: false", "rate_limited: true")
    report = await examined(capsys)
    assert report.code == 0
    assert "rate_limited: false" in report.line("hint", "rate limits")


@pytest.mark.parametrize(("name", "words"), [("config.yaml", "muster init"), ("registration.yaml", "muster init")])
async def test_a_missing_file_is_told(
    installation: Installation, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    """With the command that writes it."""
    (installation.folder / name).rename(installation.folder / "elsewhere")
    report = await examined(capsys)
    assert report.code == 1
    assert words in report.line("FAIL", "configuration")


@dataclass(frozen=True)
class Shell:
    """A folder in which an administrator types commands."""

    folder: Path

    async def muster(self, *arguments: str) -> tuple[int, str]:
        """Run a command; return its exit code and all that it said."""
        log_path = self.folder / "said.log"
        log_path.unlink(missing_ok=True)
        argv: list[str | Path] = [sys.executable, "-m", "bridge", *arguments]
        async with child(argv, log_path=log_path, cwd=self.folder) as command:
            code = await command.wait()
        return code, log_path.read_text()


@pytest.fixture
async def fresh_synapse(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[LocalSynapse, Shell]]:
    """A Synapse that knows the registration of a fresh `muster init`, and the folder of that."""
    shell = Shell(tmp_path_factory.mktemp("fresh"))
    listen = f"127.0.0.1:{free_port()}"
    await postgres.create_database("fresh_synapse")
    folder = tmp_path_factory.mktemp("synapse")
    code, said = await shell.muster("init", "--server-name", "fresh.example", "--listen", listen)
    assert code == 0, said
    async with LocalSynapse(
        folder,
        server_name="fresh.example",
        database_url=postgres.url_for("fresh_synapse"),
        registration=YAML(typ="safe").load((shell.folder / "registration.yaml").read_text()),
    ) as synapse:
        config = shell.folder / "config.yaml"
        config.write_text(config.read_text().replace("http://127.0.0.1:8008", synapse.url))
        yield synapse, shell
    await postgres.drop_database("fresh_synapse")


async def test_the_way_of_the_readme_leads_to_green(
    fresh_synapse: tuple[LocalSynapse, Shell], http: aiohttp.ClientSession
) -> None:
    """init, Synapse, run, promote, doctor, directory, plan, apply: at each step the doctor names the next."""
    synapse, shell = fresh_synapse
    admin_token = await synapse.register_admin("admin", "password")
    code, said = await shell.muster("doctor")
    assert code == 1
    assert "Start `muster run`: it makes the account at once" in Report(code, said).line("FAIL", "bot")

    argv: list[str | Path] = [sys.executable, "-m", "bridge", "run"]
    async with AsyncExitStack() as service:
        await service.enter_async_context(child(argv, log_path=shell.folder / "muster.log", cwd=shell.folder))
        await wait_until(lambda: "comparing the archive waits" in (shell.folder / "muster.log").read_text())

        code, said = await shell.muster("doctor")
        assert "server admin" in Report(code, said).line("FAIL", "admin rights")
        await _type(http, said[said.index("curl") :].split("\n\n")[0], admin_token)
        await wait_until(lambda: "was compared" in (shell.folder / "muster.log").read_text())

        code, said = await shell.muster("doctor")
        assert code == 0, said
        assert Report(code, said).checks == GREEN

        (shell.folder / "people.csv").write_text("userName,displayName,department\nmari,Mari,Sales\nants,Ants,IT\n")
        assert (await shell.muster("directory", "import", "people.csv"))[0] == 0
        assert (await shell.muster("check"))[0] == 0
        code, said = await shell.muster("plan", "--json")
        code, said = await shell.muster("apply", json.loads(said)["digest"])
        assert code == 0, said
        code, said = await shell.muster("plan", "--json")
        assert json.loads(said)["changes"] == []

    code, said = await shell.muster("doctor")
    assert code == 0, said
    assert not [line for line in (shell.folder / "muster.log").read_text().splitlines() if "Traceback" in line]


async def _type(http: aiohttp.ClientSession, command: str, admin_token: str) -> None:
    """Do what the curl command that was shown does, with the token of an administrator."""
    program, *words = shlex.split(command.replace("\\\n", " ").replace("ADMIN_TOKEN", admin_token))
    assert program == "curl"
    (url,) = [word for word in words if word.startswith("http")]
    options = dict(zip(words[:-1:2], words[1:-1:2], strict=True))
    name, _, value = options["-H"].partition(": ")
    async with http.request(options["-X"], url, headers={name: value}, data=options["-d"]) as response:
        assert response.status == 200, await response.text()


async def test_encrypted_rooms_that_nothing_reads_are_told(
    installation: Installation, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy that encrypts rooms needs the extra that reads them; with it the rooms are named."""
    board = "rooms: {board: {name: Board, members: active eq true, encryption: required}}\n"
    installation.change("policy.yaml", "company: Company\n", f"company: Company\n{board}")
    assert "reads what the policy encrypts: board" in (await examined(capsys)).line("ok", "encryption")
    monkeypatch.setattr(doctor, "can_decrypt", lambda: False)
    report = await examined(capsys)
    assert report.code == 1
    assert "the policy encrypts board" in report.line("FAIL", "encryption")
    assert 'pip install "muster[e2ee]"' in report.text
