"""Is this homeserver ready for Muster? A list of named checks, each of which says how to mend what it finds.

Checks only read, except that one has Synapse call our own address. What is printed, and the checks of files and
database, are `bridge.cli.doctor`'s.
"""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.homeserver.registration import Registration
from bridge.ids import UserId

_CROWD = 500
"""People from which on the user directory's size is worth a word (it grows with the square of a room's members)."""


class Grade(Enum):
    """How a check ended."""

    OK = "ok"
    ADVICE = "advice"
    """Works, and could be better."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    grade: Grade
    found: str
    mend: str = ""
    """What to do; empty when all is well."""
    command: str = ""
    """What to type for it, where there is such a thing; may have several lines."""


class Patient(Protocol):
    """The requests that the checks make."""

    url: str
    bot: UserId
    server_name: str

    async def is_registered(self) -> bool: ...
    async def versions(self) -> tuple[str, ...]: ...
    async def whoami(self, *, as_user: UserId | None = None) -> UserId: ...
    async def ping(self, transaction_id: str) -> int: ...
    async def server_version(self) -> str: ...
    async def some_user(self) -> UserId | None: ...
    async def well_known(self) -> Mapping[str, Any]: ...


Check = Callable[[Patient], Awaitable[Finding]]


async def examine(patient: Patient) -> AsyncIterator[Finding]:
    """Yield what each check finds, up to a failure without whose mending the next would find nothing true."""
    for check in CHECKS:
        finding = await _found(check, patient)
        yield finding
        if finding.grade is Grade.FAILED and check is not reaches_us:
            return


async def _found(check: Check, patient: Patient) -> Finding:
    """Return what the check finds; a homeserver that went away since the first check is a finding too."""
    try:
        return await check(patient)
    except HomeserverError as error:
        return Finding("homeserver", Grade.FAILED, error.message, _MEND_HOMESERVER)


async def answers(patient: Patient) -> Finding:
    """The homeserver answers at the configured address."""
    try:
        versions = await patient.versions()
    except HomeserverError as error:
        if error.status not in _REFUSED or not error.errcode:
            raise
        return Finding("homeserver", Grade.OK, "answers")  # a refusal of our token, which is the next check's
    return Finding("homeserver", Grade.OK, f"answers, speaks Matrix up to {versions[-1] if versions else 'nothing'}")


async def knows_our_token(patient: Patient) -> Finding:
    """The homeserver has loaded our registration and takes us for our bot."""
    try:
        user_id = await patient.whoami()
    except HomeserverError as error:
        if error.status not in _REFUSED:
            raise
        return Finding(
            "registration",
            Grade.FAILED,
            f"Synapse does not know our token: {error.message}",
            "Name our registration file in `app_service_config_files` of homeserver.yaml and restart Synapse.",
        )
    if user_id != patient.bot:
        return Finding(
            "registration",
            Grade.FAILED,
            f"Synapse takes us for {user_id}, the configuration expects {patient.bot}",
            "Mend `homeserver.server_name` in the configuration so that it equals Synapse's.",
        )
    return Finding("registration", Grade.OK, f"loaded; we are {user_id}")


async def reaches_us(patient: Patient) -> Finding:
    """Synapse can call us at the address in the registration."""
    try:
        duration = await patient.ping("doctor")
    except HomeserverUnavailableError:
        raise
    except HomeserverError as error:
        found = f"Synapse cannot reach Muster: {error.message}"
        if error.errcode == "M_BAD_STATUS":
            mend = (
                "Something answers at `url` of the registration, and it is not Muster with this registration. After "
                "a change of the registration restart both Synapse and Muster."
            )
        else:
            mend = (
                "`url` in the registration must be where Synapse reaches `appservice.listen` of the configuration; "
                "restart Synapse after changing it."
            )
        return Finding("way back", Grade.FAILED, found, mend)
    return Finding("way back", Grade.OK, f"Synapse reaches Muster in {duration} ms")


async def has_an_account(patient: Patient) -> Finding:
    """The bot has been registered, which the service does when it first runs."""
    if await patient.is_registered():
        return Finding("bot", Grade.OK, "has its account")
    return Finding(
        "bot", Grade.FAILED, f"{patient.bot} has no account yet", "Start `muster run`: it makes the account at once."
    )


async def is_administrator(patient: Patient) -> Finding:
    """The bot may use the admin API."""
    try:
        version = await patient.server_version()
    except HomeserverError as error:
        if error.status not in _REFUSED:
            raise
        mend = f"Make {patient.bot} a server administrator, with the access token of one:"
        return Finding("admin rights", Grade.FAILED, error.message, mend, promotion(patient.url, patient.bot))
    return Finding("admin rights", Grade.OK, f"the bot is a server administrator of Synapse {version}")


async def covers_everybody(patient: Patient) -> Finding:
    """The users namespace lets us act for people, so we also receive the events of their rooms."""
    user_id = await patient.some_user()
    if user_id is None:
        return Finding("namespaces", Grade.OK, "nobody on the server yet to try them with")
    try:
        await patient.whoami(as_user=user_id)
    except HomeserverError as error:
        if error.status not in _REFUSED:
            raise
        return Finding(
            "namespaces",
            Grade.FAILED,
            f"Synapse does not let us act for people: {error.message}",
            f"The users namespace in the registration must be @.*:{patient.server_name}, not exclusive; "
            "restart Synapse after changing it.",
        )
    return Finding("namespaces", Grade.OK, "cover everybody on the server")


async def keeps_clients_from_encrypting(patient: Patient) -> Finding:
    """Clients are told not to encrypt the rooms that people make, which could not be archived."""
    said = (await patient.well_known()).get("io.element.e2ee")
    if isinstance(said, dict) and said.get("default") is False and said.get("force_disable") is True:
        return Finding("clients", Grade.OK, "are told not to encrypt the rooms that people make")
    return Finding(
        "clients",
        Grade.ADVICE,
        "may encrypt the rooms that people make; nothing that is said there can be archived",
        "Add this to homeserver.yaml (Synapse serves it where `public_baseurl` is set) and restart Synapse; where a "
        f"web server answers for https://{patient.server_name}/.well-known/matrix/client, its file must say so too:",
        _WELL_KNOWN,
    )


_WELL_KNOWN = """\
encryption_enabled_by_default_for_room_type: "off"
extra_well_known_client_content:
  io.element.e2ee: {default: false, force_disable: true}"""

CHECKS: tuple[Check, ...] = (
    answers,
    knows_our_token,
    reaches_us,
    has_an_account,
    is_administrator,
    covers_everybody,
    keeps_clients_from_encrypting,
)

_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_MEND_HOMESERVER = "Start Synapse, or mend `homeserver.url` in the configuration."


def promotion(url: str, bot: UserId) -> str:
    """Return the command with which an administrator makes the bot one, too; its account must exist."""
    return (
        'curl -X PUT -H "Authorization: Bearer ADMIN_TOKEN" -d \'{"admin": true}\' \\\n'
        f"  {url}/_synapse/admin/v1/users/{bot}/admin"
    )


def registration_is_private(path: Path) -> Finding:
    """The registration, which opens every account, is not readable by others."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        return Finding(
            "secrets", Grade.FAILED, f"{path} is open to everybody on this machine", "Close it:", f"chmod o-rwx {path}"
        )
    return Finding("secrets", Grade.OK, f"{path.name} is private")


def is_not_slowed_down(registration: Registration) -> Finding:
    """Synapse's rate limits, made for people, do not apply to us."""
    if registration.rate_limited:
        return Finding(
            "rate limits",
            Grade.ADVICE,
            "Synapse slows Muster down: a company takes hours to set up",
            "Set `rate_limited: false` in the registration and restart Synapse.",
        )
    return Finding("rate limits", Grade.OK, "do not slow Muster down")


def clocks_agree(ours: float, theirs: float) -> Finding:
    """The database's clock and ours are within two seconds (arguments in seconds since 1970)."""
    apart = abs(ours - theirs)
    if apart > 2:
        return Finding("clock", Grade.FAILED, f"{apart:.1f} s apart from the database's", "Run NTP on both machines.")
    return Finding("clock", Grade.OK, "agrees with the database's")


def user_directory_is_bearable(people: int) -> Finding:
    """Synapse's user directory grows with the square of a private room's members, also when its search is off."""
    if people < _CROWD:
        return Finding("user directory", Grade.OK, f"no concern with {people} people")
    return Finding(
        "user directory",
        Grade.ADVICE,
        f"with {people:,} people each private room of everybody makes up to {people * people:,} rows in Synapse",
        "Keep rooms of everybody few, and let a worker keep the directory (`update_user_directory_from_worker` in "
        "homeserver.yaml). `user_directory: {enabled: false}` switches off only the search.",
    )
