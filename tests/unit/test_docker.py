"""The files for containers agree with each other and with what is tested here; no Docker engine is needed to see it."""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from bridge import __version__
from bridge.cli import parser

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
SERVICES = ("postgres", "synapse", "muster", "element")
VARIABLE = re.compile(r"\$\{(\w+)")


@cache
def read_yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text())


def service(name: str) -> dict[str, Any]:
    described: dict[str, Any] = read_yaml(DOCKER / "compose.yaml")["services"][name]
    return described


def dockerfile() -> str:
    return (DOCKER / "Dockerfile").read_text()


def readme() -> str:
    return (DOCKER / "README.md").read_text()


def locked_version(package: str) -> str:
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    return next(str(entry["version"]) for entry in packages if entry["name"] == package)


def test_the_compose_file_runs_the_four_parts_and_nothing_else() -> None:
    """Synapse, PostgreSQL, Muster and Element Web make a company's chat."""
    assert sorted(read_yaml(DOCKER / "compose.yaml")["services"]) == sorted(SERVICES)


def test_every_image_is_pinned_to_one_version() -> None:
    """A build today and a build next year run the same programs."""
    images = [service(name)["image"] for name in SERVICES]
    images += re.findall(r"^FROM (\S+)", dockerfile(), re.MULTILINE)
    assert [image for image in images if not re.search(r":v?\d+\.\d+(\.\d+)?(-[a-z-]+)?$", image)] == []


def test_the_images_have_the_versions_that_are_tested_here() -> None:
    """Synapse, PostgreSQL, uv and Muster in containers are those of uv.lock, the wheel and the Makefile."""
    makefile = (ROOT / "Makefile").read_text()
    (uv,) = re.findall(r"^UV_VERSION := (\S+)", makefile, re.MULTILINE)
    assert service("synapse")["image"].endswith(f":v{locked_version('matrix-synapse')}")
    assert service("muster")["image"] == f"muster:{__version__}"
    assert f"uv:{uv} " in dockerfile()
    assert set(re.findall(r"python:(3\.\d+)", dockerfile())) == {"3.11"}


def test_every_service_says_whether_it_is_healthy_and_comes_back_after_a_crash() -> None:
    """`docker compose ps` tells the truth and a restart of the machine brings everything up."""
    assert {service(name)["restart"] for name in SERVICES} == {"unless-stopped"}
    assert all("healthcheck" in service(name) for name in SERVICES if name != "muster")
    assert "HEALTHCHECK" in dockerfile()
    assert "/healthz" in dockerfile()


def test_nothing_is_published_beyond_the_loopback_interface() -> None:
    """A trial on a machine with a public address opens nothing to the world, and PostgreSQL nothing at all."""
    ports = [port for name in SERVICES for port in service(name).get("ports", ())]
    assert len(ports) == 3
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    assert "ports" not in service("postgres")


def test_every_mounted_file_exists_and_every_named_volume_is_declared() -> None:
    """A misspelt path would make Docker mount an empty folder."""
    declared = read_yaml(DOCKER / "compose.yaml")["volumes"]
    for source in (mount.split(":")[0] for name in SERVICES for mount in service(name).get("volumes", ())):
        if source == "./muster":  # made by the first step of the README
            continue
        assert (DOCKER / source).is_file() if source.startswith(".") else source in declared


def test_every_variable_is_written_by_the_readme() -> None:
    """Whoever follows the README has set every variable that the compose file reads."""
    used = set(VARIABLE.findall((DOCKER / "compose.yaml").read_text()))
    (written_by_readme,) = re.findall(r"^cat > \.env <<END\n(.*?)^END$", readme(), re.MULTILINE | re.DOTALL)
    written = set(re.findall(r"^([A-Z_]+)=", written_by_readme, re.MULTILINE))
    assert used == written


def test_secrets_stay_out_of_the_repository_and_out_of_the_image() -> None:
    """What the steps make is ignored by git, and the image is built of named parts only."""
    ignored = (DOCKER / ".gitignore").read_text().split()
    assert {".env", "muster/"} <= set(ignored)
    assert (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()[1] == "*"


def test_the_image_is_built_of_files_that_exist_and_are_let_in() -> None:
    """Each COPY from the repository names something that is there and that .dockerignore admits."""
    admitted = {line[1:] for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"}
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile(), re.MULTILINE)
    sources = {source for copy in copies for source in copy.split()}
    assert sources == admitted
    assert all((ROOT / source).exists() for source in sources)


def test_muster_runs_as_an_ordinary_user() -> None:
    """Nothing in the image needs root, so nothing in it runs as root."""
    assert re.findall(r"^USER (\S+)", dockerfile(), re.MULTILINE) == ["10001:10001"]


def test_synapse_and_muster_read_the_registration_as_the_same_user() -> None:
    """The registration is readable by its owner alone, so both programs run as the owner."""
    environment = service("synapse")["environment"]
    owner = [VARIABLE.findall(environment[key])[0] for key in ("UID", "GID")]
    assert VARIABLE.findall(service("muster")["user"]) == owner
    assert "./muster:/muster:ro" in service("synapse")["volumes"]
    assert read_yaml(DOCKER / "synapse" / "homeserver.yaml")["app_service_config_files"] == [
        "/muster/registration.yaml"
    ]


def test_synapse_has_what_muster_asks_for() -> None:
    """No presence, no federation, no registration by strangers, no encryption that would blind the archive."""
    config = read_yaml(DOCKER / "synapse" / "homeserver.yaml")
    assert config["presence"] == {"enabled": False}
    assert config["federation_domain_whitelist"] == []
    assert [resource["names"] for resource in config["listeners"][0]["resources"]] == [["client"]]
    assert config["enable_registration"] is False
    assert config["extra_well_known_client_content"]["io.element.e2ee"] == {"default": False, "force_disable": True}


def test_element_is_set_up_for_a_company() -> None:
    """One homeserver, no guests, no accounts made or ended in the client, and rooms of spaces on the home screen."""
    config = json.loads((DOCKER / "element" / "config.json").read_text())
    assert config["disable_custom_urls"] is config["disable_guests"] is config["disable_3pid_login"] is True
    assert config["default_federate"] is False
    assert config["integrations_ui_url"] is None
    assert config["setting_defaults"]["Spaces.allRoomsInHome"] is True
    for feature in ("registration", "passwordReset", "deactivate"):
        assert config["setting_defaults"][f"UIFeature.{feature}"] is False


def test_element_and_synapse_are_found_where_the_compose_file_publishes_them() -> None:
    """The addresses in three files are one address."""
    element = json.loads((DOCKER / "element" / "config.json").read_text())
    synapse = read_yaml(DOCKER / "synapse" / "homeserver.yaml")
    assert element["default_server_config"]["m.homeserver"]["base_url"] + "/" == synapse["public_baseurl"]
    assert synapse["public_baseurl"] == f"http://localhost:{service('synapse')['ports'][0].split(':')[1]}/"
    assert element["permalink_prefix"] == f"http://localhost:{service('element')['ports'][0].split(':')[1]}"


@pytest.mark.parametrize("name", ["synapse", "muster"])
def test_services_wait_for_a_database_that_answers(name: str) -> None:
    """A first start takes PostgreSQL some seconds; nobody starts before it is done."""
    assert service(name)["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert "database" in service(name)["networks"]


def test_the_commands_of_the_readme_are_commands_of_muster() -> None:
    """Each line that runs Muster in its container parses as Muster would parse it."""
    script = readme().replace("\\\n", " ")
    commands = re.findall(
        r"docker compose (?:run|exec)[^\n]*? muster (?:muster )?((?:init|doctor|plan)\b[^\n`]*)", script
    )
    assert [command.split()[0] for command in commands] == ["init", "doctor", "plan"]
    for command in commands:
        parser().parse_args(command.split())
