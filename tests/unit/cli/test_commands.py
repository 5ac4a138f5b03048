"""What the commands print, on a broker inside the client: tables for people, JSON for machines."""

from __future__ import annotations

import json
import os

import pytest
import yaml
from typer.testing import CliRunner

from streams.adapters.status import AgentState, AgentStatus, Waiting, WorkerStatus, report
from streams.cli import program
from streams.cli.status import _print
from streams.operations.status import AgentRow, Overview
from streams.runtime.records import Incoming, dead_letter
from tests.support.mock_broker import mock_broker

VALUE = b"\x00\x00\x00\x00\x07rubbish"


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    """No settings and no workers of the person who runs the tests."""
    for name in os.environ:
        if name.upper().startswith("NVR_STREAMS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NVR_STREAMS__WORKER__PORT", "0")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def broker():
    with mock_broker() as running:
        bury(running, "track", "undecodable", 1_600_000_000_000)
        bury(running, "settle", "bug", 1_700_000_000_000)
        yield running


@pytest.fixture
def run(broker):
    def running(*args: str, **variables: str):
        env = {"NVR_STREAMS__KAFKA__BOOTSTRAP": broker.bootstrap, **variables}
        return CliRunner().invoke(program(), list(args), env=env)

    return running


def bury(broker, agent: str, reason: str, time_ms: int) -> None:
    record = Incoming("nvr-events", 2, 17, b"k1", VALUE, (("ce_id", b"1"),), time_ms * 1000)
    out = dead_letter(record, topic="nvr-dead-letters", agent=agent, reason=reason, error=ValueError("byte 5"))
    broker.put(out.topic, out.key, out.value, headers=dict(out.headers), time_ms=time_ms)


# ---- dead letters


def test_dead_letters_are_listed_the_newest_first_and_counted(run):
    told = run("dead-letters", "list")
    lines = told.stdout.splitlines()
    assert lines[0].split() == ["id", "time", "agent", "reason", "key", "message"]
    assert [line.split()[2:4] for line in lines[1:]] == [["settle", "bug"], ["track", "undecodable"]]
    assert "1 x track: undecodable" in told.stderr


@pytest.mark.parametrize(
    ("option", "value"), [("--agent", "track"), ("--reason", "undecodable"), ("--before", "2023-01-01")]
)
def test_dead_letters_are_chosen(run, option, value):
    told = json.loads(run("dead-letters", "list", option, value, "--json").stdout)
    assert [letter["agent"] for letter in told] == ["track"]


def test_no_more_dead_letters_are_listed_than_asked_for(run):
    assert len(json.loads(run("dead-letters", "list", "--limit", "1", "--json").stdout)) == 1


def test_a_dead_letter_is_shown_with_its_cause_and_its_bytes(run):
    (letter, _) = json.loads(run("dead-letters", "list", "--json").stdout)
    told = run("dead-letters", "show", letter["id"]).stdout
    assert "nvr-events, partition 2, offset 17" in told
    assert "header ce_id" in told
    assert "ValueError: byte 5" in told
    assert "000000  00 00 00 00 07 72 75 62 62 69 73 68              .....rubbish" in told


def test_a_dead_letter_that_is_not_there_is_one_clear_line(run):
    told = run("dead-letters", "show", "9-9")
    assert (told.exit_code, told.stderr) == (1, "error: no dead letter 9-9; see: nvr-streams dead-letters list\n")


@pytest.fixture
def apart():
    """Dead letters that a test may settle: one that can go back, and the expiry of a state, which cannot."""
    with mock_broker() as running:
        bury(running, "track", "undecodable", 1_600_000_000_000)
        record = Incoming("nvr-settle-state-changelog", 2, -1, b"k2", b"state", (), 1_700_000_000_000_000)
        out = dead_letter(record, topic="nvr-dead-letters", agent="settle", reason="bug", error=ValueError("oops"))
        running.put(out.topic, out.key, out.value, headers=dict(out.headers))
        running.put("nvr-events", b"k0", b"")
        yield running


@pytest.fixture
def settling(run, apart):
    def running(*args: str):
        return run("dead-letters", *args, NVR_STREAMS__KAFKA__BOOTSTRAP=apart.bootstrap)

    return running


def test_a_replay_says_first_what_will_happen_and_asks(settling):
    told = settling("replay")
    assert told.exit_code == 1
    assert "1 x track: undecodable\nPut 1 message back, each for its agent alone? [y/N]" in told.stderr
    assert len(json.loads(settling("list", "--json").stdout)) == 2


def test_what_cannot_be_replayed_is_told_and_stays(settling):
    done = settling("replay", "--yes", "--json")
    told = json.loads(done.stdout)
    assert (len(told["replayed"]), [why[:20] for why in told["left"].values()]) == (1, ["no message failed bu"])
    (left,) = json.loads(settling("list", "--json").stdout)
    assert left["agent"] == "settle"
    assert f"{left['id']} stays: no message failed" in done.stderr


def test_what_was_settled_is_listed_on_demand_and_never_settled_again(settling):
    (track,) = json.loads(settling("list", "--agent", "track", "--json").stdout)
    assert settling("discard", track["id"], "--yes").stderr == "1 x track: undecodable\n1 message discarded\n"
    again = settling("replay", track["id"], "--yes")
    assert (again.exit_code, again.stderr) == (0, "nothing to be replayed\n")
    lines = settling("list", "--all", "--agent", "track").stdout.splitlines()
    assert [line.split()[-1] for line in lines] == ["settled", "discarded"]
    assert "discarded" in settling("show", track["id"]).stdout


def test_to_discard_is_asked_for_too(settling):
    assert "Give 2 messages up? [y/N]" in settling("discard").stderr


# ---- cameras


def test_an_unreadable_camera_is_told_and_left_out(run):
    with mock_broker() as running:
        running.put("nvr-cameras", b"porch", b"rubbish")
        told = run("cameras", "list", NVR_STREAMS__KAFKA__BOOTSTRAP=running.bootstrap)
    assert (told.exit_code, told.stdout.splitlines()[1:]) == (0, [])
    assert "unreadable record left out" in told.stderr
    assert "undecodable: it starts with" in told.stderr


# ---- tail


def test_a_topic_is_printed_as_json_lines(run):
    told = [json.loads(line) for line in run("tail", "dead-letters", "--once").stdout.splitlines()]
    assert len(told) == 2
    assert {"dlt.agent", "dlt.reason", "ce_id"} <= {name for name, _ in told[0]["headers"]}


def test_a_topic_is_followed_up_to_a_limit_and_by_key(run):
    told = run("tail", "nvr-dead-letters", "--from-beginning", "--key", "k1", "--limit", "1")
    assert told.exit_code == 0
    assert json.loads(told.stdout)["key"] == "k1"


def test_a_topic_that_is_none_of_ours_is_one_clear_line(run):
    assert run("tail", "nonsense").stderr.startswith("error: no topic nonsense; there are cameras, crops,")


# ---- settings


def test_settings_are_shown_as_a_file_that_can_be_read_back(run, tmp_path):
    shown = run("config", "show", NVR_STREAMS__KAFKA__PREFIX="mine").stdout
    assert yaml.safe_load(shown)["kafka"]["prefix"] == "mine"
    (tmp_path / "again.yaml").write_text(shown)
    assert run("--config", "again.yaml", "config", "show", NVR_STREAMS__KAFKA__PREFIX="mine").stdout == shown


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_secrets_are_hidden_in_what_is_shown(run, form):
    told = run(
        "config",
        "show",
        *form,
        NVR_STREAMS__KAFKA__PASSWORD="hunter2",
        NVR_STREAMS__INDEX__API_KEY="hunter2",
        NVR_STREAMS__REGISTRY__URL="http://me:hunter2@registry:8081",
    ).output
    assert "hunter2" not in told
    assert "http://**********@registry:8081" in told


def test_right_settings_are_said_to_be_right(run):
    assert run("config", "check").stdout.startswith("the settings are right")


def test_the_schema_of_the_settings_is_printed(run):
    schema = json.loads(run("config", "schema").stdout)
    assert schema["properties"].keys() >= {"site", "kafka", "worker"}


# ---- the graph


def test_the_graph_is_printed_as_mermaid_and_as_json(run):
    assert run("topology").stdout.startswith("flowchart LR\n")
    assert {"writer": "track", "topic": "sightings", "reader": "settle"} in json.loads(run("topology", "--json").stdout)


# ---- status


def test_status_without_a_worker_tells_what_to_do_and_fails(run):
    told = run("status")
    assert told.exit_code == 1
    assert "→ no worker answers on this machine: start one (nvr-streams worker)" in told.stdout
    assert "→ topics are missing: make them (nvr-streams topics create)" in told.stdout


def test_status_is_json_for_machines(run):
    told = json.loads(run("status", "--json").stdout)
    assert (told["well"], told["kafka"], told["workers"]) == (False, None, [])
    assert "track" in {row["agent"] for row in told["agents"]}


def test_status_shows_what_each_agent_does(capsys):
    waits = (Waiting(what="index", messages=3, seconds=12),)
    busy = AgentStatus(
        name="index", state=AgentState.READY, in_flight=3, handled=40, rate=2.5, waiting=waits, dead_letters={"bug": 2}
    )
    worker = report(WorkerStatus(name="porch", agents=(busy,)), "1.0")
    _print(Overview(agents=(AgentRow(agent="index", lag=7, worker="porch", status=busy),), workers=(worker,)))
    row = capsys.readouterr().out.splitlines()[1]
    assert row.split() == ["index", "porch", "ready", "7", "3", "2.5", "40", "index", "(12", "s)", "2"]
