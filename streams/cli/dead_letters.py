"""`nvr-streams dead-letters`: messages that could not be processed."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from streams.adapters.clock import now
from streams.adapters.rendering import iso
from streams.cli.output import JsonOption, print_json, print_table, progress
from streams.cli.times import instant
from streams.operations.dead_letters import DeadLetter, Wanted, find_letter
from streams.operations.dead_letters import list_letters as read_letters
from streams.operations.tail import as_text
from streams.settings import Settings

_DETAIL = 2_000
"""Characters of a cause or a header that are shown."""

_PREVIEW = 512
"""Bytes of a value that are shown."""


def commands() -> typer.Typer:
    """The group of commands."""
    app = typer.Typer(no_args_is_help=True)
    app.command("list")(list_letters)
    app.command("show")(show_letter)
    return app


def list_letters(
    ctx: typer.Context,
    *,
    agent: Annotated[str | None, typer.Option(help="Only those that this agent could not process.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only those with this reason, such as `undecodable`.")] = None,
    after: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only messages since then: 2h, 3d, or ISO 8601.")
    ] = None,
    before: Annotated[str | None, typer.Option(metavar="TIME", help="Only messages before then.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List the dead letters, the newest first, and how many there are of each kind."""
    settings: Settings = ctx.obj
    today = now()
    wanted = Wanted(
        agent=agent,
        reason=reason,
        after=None if after is None else instant(after, today),
        before=None if before is None else instant(before, today),
    )
    with progress("dead letters") as report:
        found = read_letters(settings, wanted, report)
    if as_json:
        print_json(found[:limit])
        return
    print_table(("id", "time", "agent", "reason", "key", "message"), (_row(letter) for letter in found[:limit]))
    for (name, why), count in Counter((letter.agent, letter.reason) for letter in found).most_common():
        typer.echo(f"{count} x {name}: {why}", err=True)
    typer.echo(f"{min(limit, len(found))} of {len(found)} dead letters", err=True)


def show_letter(
    ctx: typer.Context,
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the dead letter, as `list` shows it.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Show one dead letter: its cause, its headers, and the original bytes."""
    settings: Settings = ctx.obj
    with progress("dead letters") as report:
        letter = find_letter(settings, letter_id, report)
    if as_json:
        print_json(letter)
        return
    print_table(("", ""), _details(letter), longest=_DETAIL)
    typer.echo(f"\n{letter.traceback.rstrip()}\n\n{_dump(letter.value)}")


def _row(letter: DeadLetter) -> tuple[object, ...]:
    message = letter.message.partition("\n")[0]
    return letter.id, iso(letter.time)[:19], letter.agent, letter.reason, as_text(letter.key), message


def _details(letter: DeadLetter) -> list[tuple[str, object]]:
    return [
        ("agent", letter.agent),
        ("reason", letter.reason),
        ("message", letter.message),
        ("from", f"{letter.topic}, partition {letter.partition}, offset {letter.offset}"),
        ("time", iso(letter.time)),
        ("attempt", letter.attempt),
        ("key", as_text(letter.key)),
        *((f"header {name}", as_text(value)) for name, value in letter.headers),
    ]


def _dump(value: bytes | None) -> str:
    """The bytes as numbers and as text, sixteen in a row."""
    if value is None:
        return "no value (a tombstone)"
    rows = [value[start : start + 16] for start in range(0, min(len(value), _PREVIEW), 16)]
    lines = [f"{16 * i:06x}  {row.hex(' '):<47}  {_printable(row)}" for i, row in enumerate(rows)]
    shown = f", the first {_PREVIEW} of them" if len(value) > _PREVIEW else ""
    return "\n".join([f"value: {len(value)} bytes{shown}", *lines])


def _printable(row: bytes) -> str:
    return "".join(chr(code) if chr(code).isascii() and chr(code).isprintable() else "." for code in row)
