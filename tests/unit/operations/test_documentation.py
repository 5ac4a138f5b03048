"""What the README says about topics, settings, commands and the graph is what the program knows."""

from __future__ import annotations

from pathlib import Path

from streams.cli.documentation import blocks
from streams.operations.documentation import flow, rewrite, settings_table, table, topics_table
from streams.settings import Settings

README = Path(__file__).parents[3] / "README.md"


def test_the_readme_is_current():
    text = README.read_text(encoding="utf-8")
    assert rewrite(text, blocks()) == text, "run: make docs"


def test_marked_blocks_are_made_anew_and_all_else_stays():
    text = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n<!-- y:begin -->\nkept\n<!-- y:end -->\n"
    assert rewrite(text, {"x": "new | \\1\n", "z": "?"}) == text.replace("old\n", "new | \\1\n")


def test_rewriting_twice_changes_nothing():
    once = rewrite("<!-- x:begin -->\n<!-- x:end -->\n", {"x": "new\n"})
    assert rewrite(once, {"x": "new\n"}) == once


def test_a_table_keeps_its_columns_whatever_is_in_a_cell():
    assert table(("a", "b"), [("x|y", "z")]) == "| a | b |\n| --- | --- |\n| x&#124;y | z |\n"


def test_every_topic_is_described():
    assert "| `objects` | object id | ObjectRecord | newest per key |" in topics_table()
    assert "| `documents-<model>` |" in topics_table()


def test_every_setting_is_described_with_its_default():
    lines = settings_table().splitlines()
    assert "| `kafka.bootstrap` | `127.0.0.1:9092` | Brokers, `host:port`, comma-separated. |" in lines
    assert any(line.startswith("| `worker.name` | the machine's name |") for line in lines)
    assert any(line.startswith("| `kafka.password` |  |") for line in lines)
    assert any(line.endswith("One of plaintext, ssl, sasl_plaintext, sasl_ssl. |") for line in lines)
    assert any(line.startswith("| `retention.objects` | `30d` |") for line in lines)


def test_every_command_is_described():
    commands = blocks()["commands"]
    for command in (
        "worker [AGENT...]`",
        "objects show ID`",
        "tail TOPIC [--from-beginning]",
        "dead-letters list [--agent AGENT]",
        "objects list [--camera NAME]...",
        "topics create",
        "local up",
        "search [TEXT] [--like OBJECT]",
    ):
        assert f"`nvr-streams {command}" in commands


def test_the_graph_names_topics_as_people_do():
    told = flow(Settings())
    assert ("track", "sightings", "settle") in {(edge.writer, edge.topic, edge.reader) for edge in told}
    assert blocks()["topology"].startswith("```mermaid\nflowchart LR\n")
