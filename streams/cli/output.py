"""What commands print: JSON for machines, tables and progress for people."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from streams.adapters.rendering import plain
from streams.operations.reading import Progress as Report

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

_ENDLESS = 100_000
"""Characters in a line that nobody's screen has to hold."""

LONGEST = 160
"""Characters of a cell in a list: names that others choose may be as long as a book."""


def invoked() -> str:
    """The program as a person has to type it to run it again."""
    program = Path(sys.argv[0])
    found = shutil.which(program.name)
    return program.name if found and Path(found).resolve() == program.resolve() else os.path.relpath(program)


def print_json(value: object) -> None:
    """Dataclasses too; times in ISO 8601."""
    typer.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))


def print_table(columns: Iterable[str], rows: Iterable[Iterable[object]], *, longest: int = LONGEST) -> None:
    """Cells of at most so many characters; folded where a screen is narrow, in one line each where none looks on."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=i == 0)
    for row in rows:
        table.add_row(*(Text("" if cell is None else _legible(str(cell), longest)) for cell in row))
    Console(highlight=False, width=None if sys.stdout.isatty() else _ENDLESS).print(table)


def _legible(text: str, longest: int) -> str:
    """Without characters that would do something to a terminal, cut off where it is too long."""
    cut = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


@contextmanager
def progress(what: str) -> Iterator[Report]:
    """A bar on the screen's error side while something long is read; nothing stays of it."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
