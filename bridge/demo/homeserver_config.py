"""The files of a local Synapse, as values: its configuration, its log configuration and its signing key.

Everything that protects a public server from strangers (rate limits, slow password hashes, federation) is off or
raised, because this one listens on the loopback interface only and its people are made up. All is JSON, which is
YAML. Writing the files and running Synapse is left to `synapse`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_UNLIMITED = {"per_second": 1_000_000, "burst_count": 1_000_000}
_RATE_LIMITS: Mapping[str, object] = {
    "rc_message": _UNLIMITED,
    "rc_registration": _UNLIMITED,
    "rc_login": {"address": _UNLIMITED, "account": _UNLIMITED, "failed_attempts": _UNLIMITED},
    "rc_joins": {"local": _UNLIMITED, "remote": _UNLIMITED},
    "rc_joins_per_room": _UNLIMITED,
    "rc_invites": {"per_room": _UNLIMITED, "per_user": _UNLIMITED, "per_issuer": _UNLIMITED},
    "rc_admin_redaction": _UNLIMITED,
    "rc_key_requests": _UNLIMITED,
    "rc_media_create": _UNLIMITED,
    "rc_room_creation": _UNLIMITED,
    "rc_reports": _UNLIMITED,
    "rc_user_directory": _UNLIMITED,
    "rc_profile": _UNLIMITED,
}


@dataclass(frozen=True, slots=True)
class HomeserverSettings:
    """What differs from one local Synapse to the next."""

    folder: Path
    server_name: str
    port: int
    database_url: str
    secret: str
    """Any random text; also the registration shared secret."""
    registration_path: Path


def homeserver_config(settings: HomeserverSettings) -> dict[str, object]:
    """Return `homeserver.yaml`."""
    url = f"http://127.0.0.1:{settings.port}/"
    return {
        "server_name": settings.server_name,
        "public_baseurl": url,
        "listeners": [
            {
                "port": settings.port,
                "bind_addresses": ["127.0.0.1"],
                "type": "http",
                "tls": False,
                "resources": [{"names": ["client"]}],
            }
        ],
        "database": {"name": "psycopg2", "args": {"dsn": settings.database_url, "cp_min": 2, "cp_max": 10}},
        "log_config": str(settings.folder / "log.yaml"),
        "media_store_path": str(settings.folder / "media"),
        "signing_key_path": str(settings.folder / "signing.key"),
        "registration_shared_secret": settings.secret,
        "macaroon_secret_key": settings.secret,
        "form_secret": settings.secret,
        "app_service_config_files": [str(settings.registration_path)],
        "enable_registration": False,
        "bcrypt_rounds": 4,
        "report_stats": False,
        "presence": {"enabled": False},
        "federation_domain_whitelist": [],
        "trusted_key_servers": [],
        "suppress_key_server_warning": True,
        "allow_public_rooms_without_auth": False,
        "allow_public_rooms_over_federation": False,
        "require_auth_for_profile_requests": True,
        "user_directory": {"enabled": True, "search_all_users": True},
        "background_updates": {"sleep_enabled": False},
        "redaction_retention_period": "28d",
        "extra_well_known_client_content": {"io.element.e2ee": {"default": False, "force_disable": True}},
        **_RATE_LIMITS,
    }


def log_config() -> dict[str, object]:
    """Return a log configuration: warnings and worse, on standard error, which the supervisor writes to a file."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
    }


def signing_key(seed: bytes) -> str:
    """Return a signing key file of 32 random bytes: algorithm, key ID, unpadded base64 (signedjson's format)."""
    return f"ed25519 a_muster {base64.b64encode(seed).decode().rstrip('=')}\n"
