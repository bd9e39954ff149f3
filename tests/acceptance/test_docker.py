"""Synapse and Muster themselves read the configuration that the containers give them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.config import load_config
from bridge.homeserver.registration import Registration, document

DOCKER = Path(__file__).parents[2] / "docker"


def test_synapse_reads_the_configuration_for_containers(tmp_path: Path) -> None:
    """What Synapse generates, with our file over it and Muster's registration, is a configuration of Synapse."""
    registration = Registration(id="muster", as_token="as", hs_token="hs", sender_localpart="muster")
    path = tmp_path / "registration.yaml"
    path.write_text(json.dumps(document(registration, url="http://muster:29330", server_name="example.com")))
    ours = tmp_path / "ours.yaml"
    ours.write_text(
        (DOCKER / "synapse" / "homeserver.yaml").read_text().replace("/muster/registration.yaml", str(path))
    )
    generated = ["--config-path", "generated.yaml"]
    generate = ["--server-name", "example.com", "--report-stats", "no", "--generate-config", "--open-private-ports"]
    folders = ["--config-directory", ".", "--data-directory", "."]
    run("synapse.app.homeserver", *generated, *generate, *folders, folder=tmp_path)
    assert "Config parses OK" in run("synapse.config", "-c", "generated.yaml", "-c", "ours.yaml", folder=tmp_path)


def test_the_readmes_two_lines_make_a_configuration_for_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`muster init` and the `sed` after it give a configuration that finds Synapse and PostgreSQL by service name."""
    script = (DOCKER / "README.md").read_text().replace("\\\n", " ")
    (init,) = re.findall(r" muster (init .*)", script)
    (sed,) = re.findall(r"^sed -i '(.*)' muster/config.yaml$", script, re.MULTILINE)
    run("bridge", *init.split(), folder=tmp_path)
    subprocess.run(["/bin/sed", "-i", sed, "config.yaml"], cwd=tmp_path, check=True)  # noqa: S603 - the README's own
    database = "postgresql://muster:secret@postgres/muster"
    monkeypatch.setenv("MUSTER_DATABASE", database)
    monkeypatch.setenv("MUSTER_OWNER", database.replace("muster:", "owner:"))
    config = load_config(tmp_path / "config.yaml")
    assert config.database == database
    assert config.database_owner == database.replace("muster:", "owner:")
    assert config.homeserver.url == "http://synapse:8008"
    assert (config.appservice.host, config.appservice.port) == ("0.0.0.0", 29330)  # noqa: S104 - inside the container
    assert "http://muster:29330" in (tmp_path / "registration.yaml").read_text()


def run(module: str, *arguments: str, folder: Path) -> str:
    argv = [sys.executable, "-m", module, *arguments]
    return subprocess.run(argv, cwd=folder, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own
