"""`muster init`: a configuration, a registration with fresh tokens, and a policy to start from."""

from __future__ import annotations

import argparse
import secrets
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from bridge.config import read_config, read_registration
from bridge.errors import MusterError, RefusedError
from bridge.files import make_folder, write_new
from bridge.homeserver import registration
from bridge.homeserver.checkup import promotion
from bridge.homeserver.registration import Registration

if TYPE_CHECKING:
    from bridge.cli.command import Subparsers
    from bridge.ids import UserId


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
    tokens = Registration(
        id="muster",
        as_token=secrets.token_urlsafe(48),
        hs_token=secrets.token_urlsafe(48),
        sender_localpart="muster",
    )
    texts = {args.directory / name: text for name, text in _texts(args, tokens).items()}
    config = read_config(texts[args.directory / CONFIG], args.directory / CONFIG)
    read_registration(texts[args.directory / REGISTRATION], args.directory / REGISTRATION)
    if args.url is None and config.appservice.host in ("0.0.0.0", "::"):  # noqa: S104 - listening is the person's choice
        raise RefusedError(f"Synapse cannot call {args.listen}; say with --url where it reaches Muster.")
    make_folder(args.directory)
    _write_all(texts)
    print(_next_steps(args, tokens.bot(config.homeserver.server_name)))
    return 0


def _texts(args: argparse.Namespace, tokens: Registration) -> dict[str, str]:
    values = {"homeserver": args.homeserver, "server_name": args.server_name, "listen": args.listen}
    url = args.url or f"http://{args.listen}"
    return {
        REGISTRATION: registration.text(tokens, url=url, server_name=args.server_name),
        CONFIG: template(CONFIG).substitute(values),
        POLICY: template(POLICY).substitute(),
    }


def template(name: str) -> Template:
    """Return one of the files that `init` writes, with `$name` where its values go."""
    return Template(files("bridge").joinpath("templates", name).read_text(encoding="utf-8"))


def _write_all(texts: dict[Path, str]) -> None:
    """Write new files that only we can read, or none."""
    for path in texts:
        if path.exists():
            raise RefusedError(f"{path} exists already; nothing was written. Move it away, or give --directory.")
    written = []
    try:
        for path, text in texts.items():
            write_new(path, text, mode=0o600)
            written.append(path)
    except MusterError:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def _next_steps(args: argparse.Namespace, bot: UserId) -> str:
    folder: Path = args.directory.resolve()
    option = "" if folder == Path.cwd() else f" -c {folder / CONFIG}"
    return _NEXT_STEPS.format(
        folder=folder,
        registration=folder / REGISTRATION,
        option=option,
        bot=bot,
        promotion=promotion(args.homeserver, bot).replace("\n", "\n     "),
    )


CONFIG, REGISTRATION, POLICY = "config.yaml", "registration.yaml", "policy.yaml"

_NEXT_STEPS = """\
Wrote config.yaml, registration.yaml (secret) and policy.yaml to {folder}

1. Add to Synapse's homeserver.yaml:

     app_service_config_files:
       - {registration}
     presence: {{enabled: false}}

   Synapse must be able to read that file; on Debian for example:

     chgrp matrix-synapse {registration}
     chmod 640 {registration}

   Restart Synapse.

2. Start Muster; it stays in the foreground, so use another terminal or a
   service (docs/operating.md). It makes its account {bot},
   archives from then on, and changes nothing for people until you say so:

     muster run{option}

3. Make {bot} a server administrator, with the access token of
   one:

     {promotion}

4. Check everything:

     muster doctor{option}

5. Bring in people, see what would happen, and make it so:

     muster directory import people.csv{option}
     muster plan{option}
     muster apply DIGEST{option}"""
