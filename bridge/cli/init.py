"""`muster init`: a configuration, a registration with fresh tokens, and a policy to start from."""

from __future__ import annotations

import argparse
import secrets
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from bridge.errors import RefusedError
from bridge.files import make_folder, write_new
from bridge.homeserver import registration
from bridge.homeserver.registration import Registration

if TYPE_CHECKING:
    from bridge.cli.command import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "init",
        help="write config.yaml, registration.yaml and policy.yaml",
        description="Writes config.yaml, registration.yaml (fresh tokens, readable by you alone) and a first "
        "policy.yaml, and prints what to add to Synapse. Existing files are never touched.",
    )
    parser.add_argument("--server-name", required=True, metavar="NAME", help="server_name of your Synapse")
    parser.add_argument(
        "--homeserver", default="http://127.0.0.1:8008", metavar="URL", help="where Muster reaches Synapse"
    )
    parser.add_argument("--listen", default="127.0.0.1:29330", metavar="HOST:PORT", help="where Muster listens")
    parser.add_argument("--url", metavar="URL", help="where Synapse reaches Muster (default: http://HOST:PORT)")
    parser.add_argument("--directory", type=Path, default=Path(), metavar="DIR", help="where to write (default: here)")
    parser.set_defaults(handler=init)


async def init(args: argparse.Namespace) -> int:
    """Write the three files, all or none, and say what is next."""
    folder: Path = args.directory
    paths = {name: folder / name for name in ("config.yaml", "registration.yaml", "policy.yaml")}
    for path in paths.values():
        if path.exists():
            raise RefusedError(f"{path} exists already; nothing was written. Move it away, or give --directory.")
    make_folder(folder)
    tokens = Registration(
        id="muster",
        as_token=secrets.token_urlsafe(48),
        hs_token=secrets.token_urlsafe(48),
        sender_localpart="muster",
    )
    url = args.url or f"http://{args.listen}"
    write_new(paths["registration.yaml"], registration.text(tokens, url=url, server_name=args.server_name), mode=0o600)
    write_new(
        paths["config.yaml"],
        template("config.yaml").substitute(
            homeserver=args.homeserver, server_name=args.server_name, listen=args.listen
        ),
        mode=0o600,
    )
    write_new(paths["policy.yaml"], template("policy.yaml").substitute())
    print(_NEXT_STEPS.format(bot=tokens.bot(args.server_name), path=paths["registration.yaml"].resolve(), **vars(args)))
    return 0


def template(name: str) -> Template:
    """Return one of the files that `init` writes, with `$name` where its values go."""
    return Template(files("bridge").joinpath("templates", name).read_text(encoding="utf-8"))


_NEXT_STEPS = """\
Wrote config.yaml, registration.yaml (secret) and policy.yaml.

1. Add to Synapse's homeserver.yaml, and restart Synapse:

     app_service_config_files:
       - {path}
     presence: {{enabled: false}}

   Synapse must be able to read that file.
2. Start Muster:        muster run
3. Make {bot} a server administrator, with the token of one:

     curl -X PUT -H "Authorization: Bearer ADMIN_TOKEN" -d '{{"admin": true}}' \\
       {homeserver}/_synapse/admin/v1/users/{bot}/admin

4. Check everything:    muster doctor
5. See what would happen, before anything does:    muster plan"""
