"""A real slapd on loopback: OpenLDAP's own entries, or some that look like Active Directory's."""

from __future__ import annotations

import asyncio
import base64
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from bridge.process import free_port

SLAPD: Final = shutil.which("slapd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
SLAPADD: Final = shutil.which("slapadd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
SUFFIX: Final = "dc=example,dc=org"
PEOPLE: Final = f"ou=People,{SUFFIX}"
ADMIN: Final = f"cn=admin,{SUFFIX}"
READER: Final = f"cn=muster,{SUFFIX}"
PASSWORD: Final = "not a secret"

Values = Mapping[str, str | bytes | Sequence[str]]

_SCHEMA = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
"""
_TEXT, _INTEGER, _OCTETS, _DN = ("1.3.6.1.4.1.1466.115.121.1." + number for number in ("15", "27", "40", "12"))
_ACTIVE_DIRECTORY = {
    "sAMAccountName": _TEXT,
    "userPrincipalName": _TEXT,
    "objectCategory": _TEXT,
    "department": _TEXT,
    "company": _TEXT,
    "employeeID": _TEXT,
    "objectGUID": _OCTETS,
    "invocationId": _OCTETS,
    "userAccountControl": _INTEGER,
    "accountExpires": _INTEGER,
    "uSNChanged": _INTEGER,
    "memberOf": _DN,
    "dsServiceName": _DN,
    "highestCommittedUSN": _INTEGER,
}
_EQUALITY = {
    _TEXT: "EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch",
    _INTEGER: "EQUALITY integerMatch ORDERING integerOrderingMatch",
    _OCTETS: "EQUALITY octetStringMatch",
    _DN: "EQUALITY distinguishedNameMatch",
}
_READABLE = f"""
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{READER}" read by * none
"""


class Slapd:
    """A server with a database of its own; it can be stopped, killed and started with other rules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.access = _READABLE
        self.limits = ""
        self.tls = ""
        self.root: Values = {}
        self._process: asyncio.subprocess.Process | None = None
        (folder / "db").mkdir(parents=True)
        self.load(
            [
                ldif(SUFFIX, {"objectClass": ["dcObject", "organization"], "o": "Example", "dc": "example"}),
                ldif(PEOPLE, {"objectClass": "organizationalUnit", "ou": "People"}),
                ldif(f"ou=Groups,{SUFFIX}", {"objectClass": "organizationalUnit", "ou": "Groups"}),
                ldif(
                    READER,
                    {
                        "objectClass": ["organizationalRole", "simpleSecurityObject"],
                        "cn": "muster",
                        "userPassword": PASSWORD,
                    },
                ),
            ]
        )

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    def load(self, entries: Iterable[str]) -> None:
        """Put entries into the database of a server that is not running."""
        assert SLAPADD is not None
        text = "\n\n".join(entries) + "\n"
        command = [SLAPADD, "-q", "-f", self._configure()]
        subprocess.run(command, input=text.encode(), check=True)  # noqa: S603 - our own words

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        assert SLAPD is not None
        addresses = self.url + (f" ldaps://127.0.0.1:{self.port_of_tls}" if self.tls else "")
        self._process = await asyncio.create_subprocess_exec(
            *(SLAPD, "-d", "0", "-f", self._configure(), "-h", addresses), stderr=asyncio.subprocess.DEVNULL
        )
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                assert self._process.returncode is None, "slapd does not start"
                await asyncio.sleep(0.01)
            else:
                writer.close()
                await writer.wait_closed()
                return

    async def stop(self, how: int = signal.SIGTERM) -> None:
        """End it, politely or with `SIGKILL`."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            await self._process.wait()
        self._process = None

    async def restart(self) -> None:
        """Begin anew, with what has been changed of the rules."""
        await self.stop()
        await self.start()

    def freeze(self) -> None:
        """Let it take connections and not answer."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def change(self, text: str) -> None:
        """Change entries as LDIF says."""
        process = await asyncio.create_subprocess_exec(
            *("ldapmodify", "-x", "-H", self.url, "-D", ADMIN, "-w", PASSWORD),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        await process.communicate(text.encode())
        assert process.returncode == 0

    @property
    def port_of_tls(self) -> int:
        """The port beside the plain one."""
        return int((self.folder / "port").read_text())

    def encrypt(self, certificate: Path, key: Path) -> None:
        """Speak TLS as well: on a port of its own, and by StartTLS."""
        (self.folder / "port").write_text(str(free_port()))
        self.tls = f"TLSCertificateFile {certificate}\nTLSCertificateKeyFile {key}\n"

    def _configure(self) -> str:
        root = self.folder / "root.ldif"
        root.write_text(ldif("", self.root) + "\n")
        types = "\n".join(
            f"attributetype ( 1.3.6.1.4.1.32473.1.{number} NAME '{name}' {_EQUALITY[syntax]} SYNTAX {syntax} )"
            for number, (name, syntax) in enumerate(_ACTIVE_DIRECTORY.items(), start=1)
        )
        user = (
            "objectclass ( 1.3.6.1.4.1.32473.2.1 NAME 'user' SUP inetOrgPerson STRUCTURAL MAY "
            f"( {' $ '.join(_ACTIVE_DIRECTORY)} ) )"
        )
        file = self.folder / "slapd.conf"
        file.write_text(
            f'{_SCHEMA}{types}\n{user}\nrootDSE {root}\n{self.tls}database mdb\nsuffix "{SUFFIX}"\n'
            f'rootdn "{ADMIN}"\nrootpw "{PASSWORD}"\ndirectory {self.folder / "db"}\nmaxsize 268435456\ndbnosync\n'
            f"index entryUUID,uid eq\n{self.limits}\n{self.access}\n"
        )
        return str(file)


def ldif(dn: str, values: Values) -> str:
    """Return an entry as LDIF (RFC 2849)."""
    lines = [f"dn:: {base64.b64encode(dn.encode()).decode()}" if dn else "dn:"]
    for name, found in values.items():
        for value in [found] if isinstance(found, str | bytes) else found:
            octets = value.encode() if isinstance(value, str) else value
            lines.append(f"{name}:: {base64.b64encode(octets).decode()}")
    return "\n".join(lines)


def person(name: str, **values: str | bytes | Sequence[str]) -> str:
    """Return somebody as OpenLDAP has people."""
    return ldif(f"uid={name},{PEOPLE}", {"objectClass": "inetOrgPerson", "uid": name, "cn": name, "sn": name, **values})


def user(name: str, usn: int, **values: str | bytes | Sequence[str]) -> str:
    """Return somebody as Active Directory has people."""
    plain = {
        "objectClass": "user",
        "objectCategory": "person",
        "cn": name,
        "sn": name.rsplit(" ", maxsplit=1)[-1],
        "uSNChanged": str(usn),
        "userAccountControl": "512",
        "accountExpires": "9223372036854775807",
    }
    return ldif(f"cn={name.replace(',', chr(92) + ',')},{PEOPLE}", {**plain, **values})
