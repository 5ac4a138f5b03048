"""What tables do with what others choose to call things."""

from __future__ import annotations

from streams.cli.output import LONGEST, print_table


def printed(capsys, *cells: object, **parts: int) -> str:
    print_table(("name", "more"), [cells], **parts)
    return capsys.readouterr().out.splitlines()[1].rstrip()


def test_a_plain_cell_is_shown_as_it_is(capsys):
    assert printed(capsys, "Haustür 🚲", 7) == "Haustür 🚲  7"


def test_nothing_is_an_empty_cell(capsys):
    assert printed(capsys, None, "x").split() == ["x"]


def test_a_name_as_long_as_a_book_is_cut_off(capsys):
    assert printed(capsys, "x" * 10_000) == "x" * (LONGEST - 1) + "…"
    assert printed(capsys, "x" * 10_000, longest=500) == "x" * 499 + "…"


def test_a_name_does_nothing_to_the_terminal_and_stays_in_its_line(capsys):
    assert printed(capsys, "\x1b[2J\x00\nporch\x9b") == "\\x1b[2J\\x00\\nporch\\x9b"
