"""The composition, the image and the systemd unit: settings, agents, files and commands that they name exist."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer
import yaml
from typer.main import get_command

from streams.cli import program
from streams.operations.installation import agents
from streams.settings import Settings, load

ROOT = Path(__file__).parents[3]
INFRA = ROOT / "infra"
COMPOSE = (INFRA / "compose.yaml").read_text(encoding="utf-8")
DOCKERFILE = (INFRA / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
SECRETS = {"STORE_SECRET_KEY", "INDEX_API_KEY", "GRAFANA_PASSWORD"}
OURS = "nvr-streams:"


class Unit(configparser.RawConfigParser):
    """A systemd unit: keys keep their case, and the last of several equal ones wins."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def services() -> dict[str, dict]:
    """As compose reads them, with a value for each secret."""
    text = re.sub(r"\$\{(\w+):\?[^}]*\}", r"secret-of-\1", COMPOSE)
    return yaml.safe_load(text)["services"]


def programs() -> dict[str, dict]:
    return {name: service for name, service in services().items() if service["image"].startswith(OURS)}


def workers() -> dict[str, dict]:
    return {name: service for name, service in programs().items() if service["command"][:1] == ["worker"]}


def unit() -> Unit:
    parsed = Unit(strict=False)
    parsed.read(INFRA / "nvr-streams.service", encoding="utf-8")
    return parsed


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)$", DOCKERFILE, flags=re.MULTILINE)


@pytest.fixture
def settings_of(monkeypatch):
    """The settings that a service's environment makes, and nobody else's."""
    for name in os.environ:
        if name.upper().startswith("NVR_STREAMS_"):
            monkeypatch.delenv(name)

    def settle(environment: dict[str, str]) -> Settings:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return load()

    return settle


def assert_command(words: list[str]) -> None:
    ctx = typer.Context(get_command(program()), info_name="nvr-streams")
    while hasattr(ctx.command, "commands"):
        ctx = typer.Context(ctx.command.commands[words[0]], info_name=words[0], parent=ctx)
        words = words[1:]
    ctx.command.make_context(ctx.info_name, list(words), parent=ctx.parent)


@pytest.mark.parametrize("name", sorted(programs()))
def test_environments_are_settings(name, settings_of):
    environment = programs()[name]["environment"]
    assert all(key.startswith("NVR_STREAMS__") for key in environment)
    settings = settings_of(environment)
    assert settings.store.secret_key
    assert settings.index.api_key


def test_every_agent_runs_in_just_one_group(settings_of):
    named = [agent for worker in workers().values() for agent in worker["command"][1:]]
    assert sorted(named) == sorted(agent.name for agent in agents(settings_of({})))


def test_workers_have_names_and_volumes_of_their_own():
    assert len({worker["environment"]["NVR_STREAMS__WORKER__NAME"] for worker in workers().values()}) == len(workers())
    folder = re.search(r"NVR_STREAMS__WORKER__DATA=(\S+)", DOCKERFILE)[1]
    volumes = [volume for worker in workers().values() for volume in worker["volumes"]]
    assert sorted(volumes) == sorted(f"{name}:{folder}" for name in workers())


def test_prometheus_scrapes_every_worker_where_it_answers(settings_of):
    [job] = yaml.safe_load((INFRA / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8"))["scrape_configs"]
    targets = {target for group in job["static_configs"] for target in group["targets"]}
    ports = {name: settings_of(worker["environment"]).worker for name, worker in workers().items()}
    assert targets == {f"{name}:{worker.port}" for name, worker in ports.items()}
    assert {worker.host for worker in ports.values()} == {"0.0.0.0"}


def test_neighbours_are_asked_where_they_answer(settings_of):
    settings = settings_of(workers()["index"]["environment"])
    named = {
        settings.kafka.bootstrap.partition(":")[0],
        *(re.match(r"http://(\w+):", url)[1] for url in (settings.registry.url, settings.index.url)),
        re.match(r"http://(\w+):", settings.store.endpoint)[1],
    }
    assert named <= set(services())
    assert f"INSIDE://{settings.kafka.bootstrap}," in services()["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]


def test_the_buckets_that_are_used_are_made(settings_of):
    store = settings_of(workers()["index"]["environment"]).store
    made = set(re.findall(r"here/(\S+)", services()["buckets"]["entrypoint"][-1]))
    assert {re.match(r"s3://([^/]+)", url)[1] for url in (store.url, *store.read)} == made


def test_setup_makes_topics_and_schemas():
    [shell, option, script] = services()["setup"]["entrypoint"]
    assert (shell, option) == ("sh", "-ec")
    commands = [shlex.split(command) for command in script.split(";")]
    assert [command.pop(0) for command in commands] == ["nvr-streams", "nvr-streams"]
    assert commands == [["topics", "create"], ["schemas", "register"]]
    for command in commands:
        assert_command(command)


@pytest.mark.parametrize("name", sorted(services()))
def test_images_have_a_version(name):
    tag = services()[name]["image"].partition(":")[2]
    assert re.search(r"\d+[.-]\d+", tag)


def test_our_image_has_the_version_of_the_project():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert {service["image"] for service in programs().values()} == {f"{OURS}{version}"}


def test_broker_and_registry_are_those_that_are_tested_with():
    pom = (INFRA / "local" / "pom.xml").read_text(encoding="utf-8")
    for name in ("kafka", "registry"):
        [version] = re.findall(rf"<{name}\.version>(.+)</", pom)
        assert services()[name]["image"].endswith(f":{version}")


def test_only_loopback_is_published_and_no_port_twice():
    published = [port for service in services().values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert len({port.split(":")[1] for port in published}) == len(published)


def test_secrets_come_from_outside_and_have_no_default():
    assert set(re.findall(r"\$\{(\w+):\?", COMPOSE)) == SECRETS
    assert not re.findall(r"\$\{\w+(?::?-|\})", COMPOSE)
    secret = re.compile(r"(PASSWORD|SECRET_KEY|API_KEY)$")
    for service in services().values():
        values = [value for key, value in service.get("environment", {}).items() if secret.search(key)]
        assert all(value.startswith("secret-of-") for value in values)


def test_whatever_stays_up_has_a_health_check_and_whatever_keeps_something_a_volume():
    declared = set(yaml.safe_load(COMPOSE)["volumes"])
    staying = {name: service for name, service in services().items() if "restart" in service}
    assert set(services()) - set(staying) == {"setup", "buckets"}
    assert all("healthcheck" in service for name, service in staying.items() if name not in workers())
    kept = {volume.partition(":")[0] for service in staying.values() for volume in service.get("volumes", ())}
    assert {name for name in kept if not name.startswith(".")} == declared == set(staying) - {"registry"}


def test_waits_are_for_services_that_say_when():
    for service in services().values():
        for name, wait in service.get("depends_on", {}).items():
            awaited = services()[name]
            ends = wait["condition"] == "service_completed_successfully"
            assert ends == ("restart" not in awaited)
            assert ends or "healthcheck" in awaited


def test_files_that_are_mounted_exist():
    mounted = [volume for service in services().values() for volume in service.get("volumes", ()) if volume[0] == "."]
    assert mounted
    assert all((INFRA / volume.partition(":")[0]).exists() for volume in mounted)


def test_grafana_finds_what_is_mounted():
    provider = yaml.safe_load((INFRA / "grafana/provisioning/dashboards/nvr-streams.yaml").read_text(encoding="utf-8"))
    [folder] = [each["options"]["path"] for each in provider["providers"]]
    assert any(volume.partition(":")[2].startswith(f"{folder}/") for volume in services()["grafana"]["volumes"])


def test_the_image_is_made_of_files_that_the_builder_gets():
    copied = [word for line in instructions("COPY") if "--from" not in line for word in shlex.split(line)[:-1]]
    ignore = (INFRA / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert set(copied) == {line[1:] for line in ignore if line.startswith("!")}
    assert all((ROOT / name).exists() for name in copied)
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    assert {Path(name).parts[0] for name in packed["wheel"]["force-include"]} <= set(copied)


def test_the_image_runs_a_worker_that_is_not_root(settings_of):
    assert {line.split()[0] for line in instructions("FROM")} == {"python:3.11-slim"}
    assert instructions("USER") == ["nvr-streams"]
    assert [json.loads(line) for line in instructions("ENTRYPOINT")] == [["nvr-streams"]]
    assert_command(json.loads(instructions("CMD")[-1]))
    assert f":{settings_of({}).worker.port}/health" in instructions("HEALTHCHECK")[0]
    assert settings_of(dict(re.findall(r"(NVR_STREAMS__\w+)=(\S+)", " ".join(instructions("ENV"))))).worker.data


def test_the_lock_names_what_the_image_is_built_with():
    locked = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert re.search(r"^uv==", locked, flags=re.MULTILINE)
    assert re.search(r"^rocksdict==", locked, flags=re.MULTILINE)


def test_the_unit_runs_commands_that_exist():
    for key in ("ExecStartPre", "ExecStart"):
        path, *words = shlex.split(unit()["Service"][key])
        assert Path(path).name == "nvr-streams"
        assert_command(words)


def test_the_unit_writes_where_it_may(settings_of):
    text = (INFRA / "nvr-streams.service").read_text(encoding="utf-8")
    environment = dict(re.findall(r"^Environment=(\w+)=(.+)$", text, flags=re.MULTILINE))
    assert environment.pop("NVR_STREAMS_CONFIG").startswith("/etc/")
    folder = Path("/var/lib") / unit()["Service"]["StateDirectory"]
    assert settings_of(environment).worker.data == folder == Path(unit()["Service"]["WorkingDirectory"])


def test_a_stop_waits_longer_than_the_supervisor():
    from streams.runtime.supervisor import KILL_AFTER  # noqa: PLC0415 - nothing else here needs the runtime

    stops = [unit()["Service"]["TimeoutStopSec"], *(worker["stop_grace_period"] for worker in workers().values())]
    assert all(float(stop.removesuffix("s")) > KILL_AFTER for stop in stops)
