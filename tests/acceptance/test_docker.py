"""Synapse itself reads the configuration that the containers give it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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


def run(module: str, *arguments: str, folder: Path) -> str:
    argv = [sys.executable, "-m", module, *arguments]
    return subprocess.run(argv, cwd=folder, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own
