"""LDAP in the life of the service: read by itself, by hand, encrypted, and what is said when it cannot be."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bridge.directory import ldap as ldap_module
from bridge.directory.ldap import LdapReader
from bridge.directory.ldap_mapping import LdapSource
from bridge.errors import LdapError
from bridge.process import child, free_port
from tests.integration.ldap.server import PASSWORD, PEOPLE, READER, SUFFIX, Slapd, person
from tests.integration.ldap.test_reading import Hours, active, crowd, reader, refused, source
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def folder(tmp_path: Path, database_url: str, slapd: Slapd) -> Path:
    """An installation whose Synapse is away, and that reads the server."""
    files = {
        "registration.yaml": f"id: m\nurl: {NOWHERE}\nas_token: a\nhs_token: h\nsender_localpart: muster\n",
        "policy.yaml": "version: 1\ncompany: Company\n",
        "ldap.txt": PASSWORD,
        "config.yaml": f"homeserver: {{url: '{NOWHERE}', server_name: example.org}}\n"
        f"appservice: {{listen: '127.0.0.1:{free_port()}'}}\ndatabase: {database_url}\n"
        f"directory: {{ldap: {{main: {{url: '{slapd.url}', base: '{PEOPLE}', bind_dn: '{READER}', "
        "password: ldap.txt}}}\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def certify(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


async def muster(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run the command to its end; return code, output and errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", *arguments, "-c", str(folder / "config.yaml")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def running(ldap: LdapReader) -> AsyncIterator[None]:
    """Let the reader go on by itself."""
    task = asyncio.create_task(ldap.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def reading_processes() -> list[psutil.Process]:
    """Return the processes of this one that read."""
    return [each for each in psutil.Process().children() if "bridge.directory.ldap_read" in each.cmdline()]


async def test_service_reads_by_itself(pool: Pool, slapd: Slapd, folder: Path) -> None:
    """Whoever the server shows is in the directory; the log counts, and names nobody."""
    slapd.load([person("m.tamm", displayName="Mari Tamm")])
    await slapd.start()
    argv = [sys.executable, "-m", "bridge", "run", "-c", str(folder / "config.yaml")]
    log = folder / "muster.log"

    async def has_arrived() -> bool:
        return "ldap:main is read: People added: 1" in log.read_text()

    async with child(argv, log_path=log):
        await wait_until(has_arrived)
    assert await active(pool) == {"m.tamm"}
    assert "tamm" not in log.read_text().lower()


async def test_command_reads_at_once(pool: Pool, slapd: Slapd, folder: Path) -> None:
    """Dry or for good; an unknown name and a server that is away are told."""
    slapd.load([person("m.tamm")])
    code, out, err = await muster(folder, "directory", "ldap", "main")
    assert (code, out) == (1, "")
    assert f"{slapd.url} cannot be reached" in err
    await slapd.start()
    code, out, _ = await muster(folder, "directory", "ldap", "main", "--dry-run")
    assert (code, out.partition(",")[0]) == (0, "Would be added: 1")
    assert await active(pool) == set()
    code, out, _ = await muster(folder, "directory", "ldap", "main", "--json")
    assert (code, json.loads(out)["created"]) == (0, 1)
    assert await active(pool) == {"m.tamm"}
    code, _, err = await muster(folder, "directory", "ldap", "mian")
    assert code == 1
    assert "did you mean `main`?" in err


async def test_server_that_is_away_is_waited_for(pool: Pool, slapd: Slapd, caplog: pytest.LogCaptureFixture) -> None:
    """What is in the way is told once; when the server is there, it is read."""
    slapd.load([person("m.tamm")])
    ldap = replace(source(slapd), every=timedelta(milliseconds=10))
    tries = 0

    class Counting(Hours):
        def __call__(self) -> datetime:
            nonlocal tries
            tries += 1
            return super().__call__()

    async def is_in() -> bool:
        return await active(pool) == {"m.tamm"}

    async with running(reader(pool, ldap, Counting())):
        await wait_until(lambda: tries > 2)
        await slapd.start()
        await wait_until(is_in)
    told = [record.getMessage() for record in caplog.records if record.__dict__.get("action") == "ldap.wait"]
    assert len(told) == 1
    assert "cannot be reached" in told[0]


async def test_refused_entries_are_told_without_names(
    pool: Pool, slapd: Slapd, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says where to look; the command there names them."""
    slapd.load([person("m.tamm", mail="nowhere")])
    await slapd.start()

    def told() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.__dict__.get("action") == "ldap.wait"]

    async with running(reader(pool, source(slapd))):
        await wait_until(lambda: bool(told()))
    assert "muster directory ldap main --dry-run" in told()[0]
    assert "tamm" not in "".join(told())


async def test_missing_library_is_said_with_what_to_install(
    pool: Pool, slapd: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra, and what compiles it."""
    monkeypatch.setattr(ldap_module, "find_spec", lambda _name: None)
    said = await refused(pool, source(slapd))
    assert "pip install 'muster[ldap]'" in said
    assert "libldap2-dev" in said


@pytest.mark.parametrize("start", [False, True])
async def test_encrypted_server_is_read(pool: Pool, slapd: Slapd, tmp_path: Path, start: bool) -> None:
    """Over ldaps:// and by StartTLS, when the certificate is by somebody who is trusted; otherwise not."""
    certificate, key = certify(tmp_path)
    slapd.encrypt(certificate, key)
    slapd.load([person("m.tamm")])
    await slapd.start()
    url = slapd.url if start else f"ldaps://127.0.0.1:{slapd.port_of_tls}"
    ldap = replace(source(slapd), url=url, start_tls=start)
    assert "certificate" in await refused(pool, ldap)
    await reader(pool, replace(ldap, ca=str(certificate))).read()
    assert await active(pool) == {"m.tamm"}


async def test_killed_reading_is_gone_on_with(pool: Pool, slapd: Slapd) -> None:
    """A reading that is broken off, as by the end of the service, leaves no process and nothing half."""
    slapd.load(crowd(20))
    await slapd.start()
    slapd.freeze()
    reading = asyncio.create_task(reader(pool, source(slapd)).read())
    await wait_until(lambda: len(reading_processes()) == 1)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert reading_processes() == []
    assert await active(pool) == set()
    slapd.thaw()
    assert (await reader(pool, source(slapd)).read()).created == 20


async def test_five_thousand_people(pool: Pool, slapd: Slapd) -> None:
    """Ten pages; the second time nothing changes."""
    slapd.load(crowd(5000))
    slapd.limits = f'limits dn.exact="{READER}" size.prtotal=unlimited'
    await slapd.start()
    ldap = LdapSource("main", slapd.url, f"ou=People,{SUFFIX}", bind_dn=READER, password=PASSWORD)
    assert (await reader(pool, ldap).read()).created == 5000
    assert (await reader(pool, ldap).read(full=True)).unchanged == 5000


async def test_another_error_of_the_process_is_told_by_its_kind(pool: Pool, slapd: Slapd) -> None:
    """Its text may hold what the server said."""
    await slapd.start()
    with pytest.raises(LdapError, match=r"refuses|cannot read"):
        await reader(pool, replace(source(slapd), filter="(&(broken=)")).read()
