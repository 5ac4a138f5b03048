"""What the README promises: its commands, links, fields, metrics and example files are those of the program."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import typer
from qdrant_client import models
from typer.main import get_command

from streams.adapters.qdrant_schema import INDEXES
from streams.adapters.telemetry import Telemetry
from streams.cli import program
from streams.cli.documentation import blocks
from streams.operations.camera_files import read_cameras
from streams.settings import load

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def typed() -> list[list[str]]:
    """The words of every command line that the README tells to type."""
    lines = [line for block in fenced("sh") for line in block.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def section(heading: str) -> str:
    return README.partition(f"\n{heading}\n")[2].partition("\n#")[0]


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_generated_parts_are_there():
    assert set(re.findall(r"<!-- (\w+):begin -->", README)) == set(blocks())


@pytest.mark.parametrize("words", [words for words in typed() if words[0] == "nvr-streams"], ids=shlex.join)
def test_commands_exist_with_these_options(words):
    ctx = typer.Context(get_command(program()), info_name=words.pop(0))
    if words[0] == "--config":
        del words[:2]
    while ctx.command.list_commands(ctx) if hasattr(ctx.command, "commands") else ():
        name = words.pop(0)
        ctx = typer.Context(ctx.command.commands[name], info_name=name, parent=ctx)
    ctx.command.make_context(ctx.info_name, words, parent=ctx.parent)


def test_make_has_what_is_asked_of_it():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)", "\n".join([*fenced("sh"), *re.findall(r"`[^`\n]+`", README)]))) <= targets


def test_links_lead_somewhere():
    headings = {anchor(heading) for heading in re.findall(r"^#+ (.+)$", README, flags=re.MULTILINE)}
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert (link.removeprefix("#") in headings) if link.startswith("#") else (ROOT / link).exists(), link


def test_named_files_exist():
    for file in re.findall(r"(?:streams|schemas|infra|tests)/[\w./-]+\.(?:py|yaml|mp4)", README):
        assert (ROOT / file).exists(), file


def test_everything_that_people_filter_by_is_told():
    told = section("### The Qdrant dashboard").partition("the server refuses others:")[2].partition("\n* ")[0]
    assert set(re.findall(r"`(\w+)`", told)) == set(INDEXES)


def test_requests_for_the_dashboard_are_qdrants():
    visualize, scroll = map(json.loads, fenced("json"))
    models.Filter.model_validate(visualize["filter"], strict=True)
    models.ScrollRequest.model_validate(scroll)


def test_metrics_exist():
    known = set(re.findall(r"^# TYPE (\S+)", Telemetry("porch").exposition().decode(), flags=re.MULTILINE))
    named = set(re.findall(r"\bnvr_streams_\w+", README))
    assert named
    assert named <= known


def test_programs_are_python():
    for code in fenced("python"):
        compile(code, "README.md", "exec")


def test_the_example_settings_are_right(monkeypatch):
    file = ROOT / "infra" / "settings.example.yaml"
    for name in re.findall(r"NVR_STREAMS__\w+(?=[,\n])", file.read_text()):
        monkeypatch.setenv(name, "secret")
    settings = load(file)
    assert settings.kafka.password
    assert settings.registry.password
    assert settings.store.secret_key
    assert settings.index.api_key


def test_the_example_cameras_are_right():
    cameras = read_cameras(ROOT / "infra" / "camera.example.yaml", at := 1_764_000_000_000_000)
    assert {camera.name: camera.semantic_search.enabled for camera in cameras} == {
        "front_door": True,
        "driveway": True,
        "garage": False,
    }
    assert {camera.at for camera in cameras} == {at}
