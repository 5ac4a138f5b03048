"""The program: help at once, wrong use 2, failure 1 in one clear line, tracebacks only on demand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import streams.cli
from streams.cli import COMMANDS, GROUPS, program
from streams.domain.errors import Outage

BROKEN = "kafka: {bootstap: x}"
NOBODY = {"NVR_STREAMS__KAFKA__BOOTSTRAP": "127.0.0.1:9"}


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    """No settings and no workers of the person who runs the tests."""
    for name in os.environ:
        if name.upper().startswith("NVR_STREAMS_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    for module in ("streams.operations.reading", "streams.operations.lags"):
        monkeypatch.setattr(f"{module}.ANSWER_SECONDS", 0.3)


@pytest.fixture
def broken(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text(BROKEN)
    return file


def run(*args: str, **variables: str):
    return CliRunner().invoke(program(), [str(arg) for arg in args], env=variables)


def started(code: str) -> subprocess.Popen[str]:
    """A process of its own in the checkout."""
    root = Path(streams.cli.__file__).parents[2]
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True, cwd=root)


# ---- help


def test_help_lists_every_command():
    told = run("--help")
    assert told.exit_code == 0
    assert all(f"  {name}" in told.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_also_where_the_settings_are_wrong(name, broken):
    told = run("--config", broken, name, "--help")
    assert (told.exit_code, told.stderr) == (0, "")
    assert told.stdout.startswith("Usage: ")


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_a_group_of_commands_says_what_it_is_for_where_it_stands_in_the_list(name):
    assert COMMANDS[name] in " ".join(run(name, "--help").stdout.split())


def test_without_a_command_the_help_is_shown():
    assert "Commands:" in run().output


def test_the_version_is_printed():
    told = run("--version")
    assert told.exit_code == 0
    assert told.stdout.strip()[0].isdigit()


# ---- wrong use


@pytest.mark.parametrize(
    "args",
    [
        ["nonsense"],
        ["--nonsense"],
        ["tail"],
        ["tail", "events", "--limit", "many"],
        ["objects", "list", "--limit", "0"],
        ["objects", "nonsense"],
        ["dead-letters", "list", "--after", "yesterday"],
        ["cameras", "put"],
        ["worker", "nonsense"],
    ],
)
def test_wrong_use_is_exit_code_2_with_a_word_about_it(args):
    told = run(*args)
    assert told.exit_code == 2
    assert "Error: " in told.stderr
    assert "Traceback" not in told.output


def test_a_typing_error_is_answered_with_the_command_that_was_meant():
    assert "Did you mean 'topology'?" in run("topologi").stderr


def test_an_unknown_agent_is_answered_with_those_that_there_are():
    assert "no agent trak; there are track, settle," in run("worker", "trak").stderr


# ---- failure


def test_wrong_settings_are_one_clear_line(broken):
    told = run("--config", broken, "topology")
    assert told.exit_code == 1
    assert told.stderr.startswith("error: kafka.bootstap: no such setting (did you mean bootstrap?")
    assert told.stderr.count("\n") == 1


def test_a_missing_settings_file_is_one_clear_line(tmp_path):
    assert (
        run("--config", tmp_path / "none.yaml", "topology").stderr
        == f"error: no settings file at {tmp_path / 'none.yaml'}\n"
    )


def test_the_environment_may_name_the_settings_file(broken):
    assert run("topology", NVR_STREAMS_CONFIG=str(broken)).exit_code == 1


def test_local_needs_no_settings(broken):
    assert run("--config", broken, "local", "status").exit_code == 1
    assert "bootstap" not in run("--config", broken, "local", "status").output


@pytest.mark.parametrize(
    "args",
    [
        ["objects", "list"],
        ["objects", "show", "x"],
        ["tail", "events"],
        ["tail", "events", "--once"],
        ["dead-letters", "list"],
        ["dead-letters", "show", "0-0"],
        ["dead-letters", "replay"],
        ["dead-letters", "discard", "--yes"],
        ["cameras", "list"],
        ["cameras", "remove", "porch"],
    ],
)
def test_where_no_broker_answers_every_command_says_so_in_one_line(args):
    told = run(*args, **NOBODY)
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr == "error: kafka: no broker answers at 127.0.0.1:9\n"


def test_a_traceback_comes_on_demand():
    told = run("--debug", "objects", "list", **NOBODY)
    assert isinstance(told.exception, Outage)


def test_a_bug_is_not_taken_for_an_expected_error(monkeypatch):
    def buggy(*_: object) -> None:
        raise KeyError("porch")

    monkeypatch.setattr("streams.cli.topology.topology_mermaid", buggy)
    assert isinstance(run("topology").exception, KeyError)


def test_secrets_stay_out_of_errors():
    variables = {
        "NVR_STREAMS__KAFKA__PASSWORD": "hunter2",
        "NVR_STREAMS__KAFKA__BOOTSTRAP": "http://me:s3cr3t@nowhere:1,hunter2:1",
    }
    told = run("objects", "list", **variables)
    assert told.exit_code == 1
    assert "hunter2" not in told.output
    assert "s3cr3t" not in told.output


# ---- being stopped


TAILING = """
import os, sys
from streams.cli import main
from tests.support.mock_broker import MockBroker

broker = MockBroker()
broker.put("nvr-events", b"k", b"x")
os.environ["NVR_STREAMS__KAFKA__BOOTSTRAP"] = broker.bootstrap
sys.argv = ["nvr-streams", "tail", "events", "--from-beginning"]
main()
"""


def test_ctrl_c_ends_a_command_cleanly_with_130():
    with started(TAILING) as running:
        assert running.stdout is not None
        assert '"unreadable": "undecodable' in running.stdout.readline()
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=20)
    assert (running.returncode, errors) == (130, "")


def test_a_reader_that_goes_away_ends_a_command_quietly():
    with started(TAILING) as running:
        assert running.stdout is not None
        running.stdout.close()
        assert running.wait(timeout=20) == 1
        assert running.stderr is not None
        assert running.stderr.read() == ""
