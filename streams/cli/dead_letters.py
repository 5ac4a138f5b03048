"""`nvr-streams dead-letters`: messages that could not be processed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Annotated

import typer

from streams.adapters.clock import now
from streams.adapters.rendering import iso
from streams.cli.output import JsonOption, print_json, print_table, progress
from streams.cli.times import instant
from streams.operations.dead_letter_settling import obstacles, settle
from streams.operations.dead_letters import DeadLetter, Fate, Wanted, choose_letters, find_letter
from streams.operations.dead_letters import list_letters as read_letters
from streams.operations.tail import as_text
from streams.settings import Settings

_DETAIL = 2_000
"""Characters of a cause or a header that are shown."""

_PREVIEW = 512
"""Bytes of a value that are shown."""


AgentOption = Annotated[str | None, typer.Option(help="Only those that this agent could not process.")]
ReasonOption = Annotated[str | None, typer.Option(help="Only those with this reason, such as `undecodable`.")]
AfterOption = Annotated[str | None, typer.Option(metavar="TIME", help="Only messages since then: 2h, 3d, or ISO 8601.")]
BeforeOption = Annotated[str | None, typer.Option(metavar="TIME", help="Only messages before then.")]
IdsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="ID", help="Only these, by their ids as `list` shows them.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Don't ask.")]


def commands() -> typer.Typer:
    """The group of commands."""
    app = typer.Typer(no_args_is_help=True)
    app.command("list")(list_letters)
    app.command("show")(show_letter)
    app.command("replay")(replay)
    app.command("discard")(discard)
    return app


def list_letters(
    ctx: typer.Context,
    *,
    agent: AgentOption = None,
    reason: ReasonOption = None,
    after: AfterOption = None,
    before: BeforeOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Those too that were replayed or discarded.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List the dead letters that are open, the newest first, and how many there are of each kind."""
    settings: Settings = ctx.obj
    wanted = replace(_wanted(agent, reason, after, before), settled=everything)
    with progress("dead letters") as report:
        found = read_letters(settings, wanted, report)
    if as_json:
        print_json(found[:limit])
        return
    columns = ("id", "time", "agent", "reason", "key", "message")
    if everything:
        print_table((*columns, "settled"), ((*_row(letter), letter.settled) for letter in found[:limit]))
    else:
        print_table(columns, map(_row, found[:limit]))
    _count(found)
    typer.echo(f"{min(limit, len(found))} of {len(found)} dead letters", err=True)


def replay(
    ctx: typer.Context,
    ids: IdsArgument = None,
    *,
    agent: AgentOption = None,
    reason: ReasonOption = None,
    after: AfterOption = None,
    before: BeforeOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Put messages back on their topics, each for the agent alone that could not process it."""
    settings: Settings = ctx.obj
    chosen = _chosen(settings, _wanted(agent, reason, after, before, ids))
    hindered = obstacles(settings, chosen)
    ready = [letter for letter in chosen if letter.id not in hindered]
    for letter_id, why in hindered.items():
        typer.echo(f"{letter_id} stays: {why}", err=True)
    _settle(settings, ready, Fate.REPLAYED, "Put {} back, each for its agent alone?", yes=yes)
    if as_json:
        print_json({"replayed": [letter.id for letter in ready], "left": hindered})


def discard(
    ctx: typer.Context,
    ids: IdsArgument = None,
    *,
    agent: AgentOption = None,
    reason: ReasonOption = None,
    after: AfterOption = None,
    before: BeforeOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give messages up: they are not listed any more, and stay in the topic until it forgets them."""
    settings: Settings = ctx.obj
    chosen = _chosen(settings, _wanted(agent, reason, after, before, ids))
    _settle(settings, chosen, Fate.DISCARDED, "Give {} up?", yes=yes)
    if as_json:
        print_json({"discarded": [letter.id for letter in chosen]})


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


def _wanted(
    agent: str | None, reason: str | None, after: str | None, before: str | None, ids: list[str] | None = None
) -> Wanted:
    today = now()
    return Wanted(
        ids=frozenset(ids) if ids else None,
        agent=agent,
        reason=reason,
        after=None if after is None else instant(after, today),
        before=None if before is None else instant(before, today),
    )


def _chosen(settings: Settings, wanted: Wanted) -> list[DeadLetter]:
    with progress("dead letters") as report:
        return choose_letters(settings, wanted, report)


def _settle(settings: Settings, letters: list[DeadLetter], fate: Fate, question: str, *, yes: bool) -> None:
    """Say what will happen, ask, and do it."""
    if not letters:
        typer.echo(f"nothing to be {fate}", err=True)
        return
    _count(letters)
    messages = f"{len(letters)} message{'s' if len(letters) > 1 else ''}"
    if not yes:
        typer.confirm(question.format(messages), abort=True, err=True)
    settle(settings, letters, fate)
    typer.echo(f"{messages} {fate}", err=True)


def _count(letters: list[DeadLetter]) -> None:
    for (name, why), count in Counter((letter.agent, letter.reason) for letter in letters).most_common():
        typer.echo(f"{count} x {name}: {why}", err=True)


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
        ("settled", letter.settled or "no, it is open"),
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
