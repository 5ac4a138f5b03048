"""`nvr-streams search`: finds objects by words, by likeness and by what is known about them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from streams.adapters.clock import now
from streams.adapters.rendering import iso
from streams.adapters.search import Search, SearchRequest
from streams.cli.output import JsonOption, print_json, print_table
from streams.cli.times import instant
from streams.operations.search import find
from streams.ports import MAX_HITS, Hit
from streams.settings import Settings

_COLUMNS = ("object", "score", "time", "camera", "label", "names", "description", "thumbnail")
_WHEN = "such as 2h, 3d, 2026-05-31 or 2026-05-31T12:00:00Z (UTC where no zone is named)."

Several = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only these; repeat for several.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("search")(search)


def search(
    ctx: typer.Context,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="What it looks like, in words.")] = None,
    *,
    like: Annotated[str | None, typer.Option(metavar="OBJECT", help="What looks like this object.")] = None,
    camera: Several = None,
    label: Several = None,
    zone: Several = None,
    sub_label: Several = None,
    plate: Several = None,
    after: Annotated[str | None, typer.Option(metavar="TIME", help=f"Began at this time or later: {_WHEN}")] = None,
    before: Annotated[str | None, typer.Option(metavar="TIME", help=f"Began before this time: {_WHEN}")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_HITS, help="At most so many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Find objects, best first. Without words and without --like, the newest come first."""
    settings: Settings = ctx.obj
    clock = now()
    try:
        request = SearchRequest(
            text=text,
            like=like,
            cameras=tuple(camera or ()),
            labels=tuple(label or ()),
            zones=tuple(zone or ()),
            sub_labels=tuple(sub_label or ()),
            plates=tuple(plate or ()),
            after=None if after is None else instant(after, clock),
            before=None if before is None else instant(before, clock),
            limit=limit,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    _print(request, asyncio.run(find(settings, request, opener=open_search)), as_json=as_json)


@asynccontextmanager
async def open_search(settings: Settings) -> AsyncIterator[Search]:
    """Models and the index take seconds to import alone, and a worker mostly answers instead."""
    from streams.app import open_search as opened

    async with opened(settings) as search:
        yield search


def _print(request: SearchRequest, hits: Sequence[Hit], *, as_json: bool) -> None:
    if as_json:
        print_json({"hits": hits})
        return
    if not request.ranked:
        typer.echo("nothing to compare with was given: the newest come first", err=True)
    if hits:
        print_table(_COLUMNS, map(_row, hits))
    typer.echo(f"{len(hits)} found" if hits else "nothing found", err=True)


def _row(hit: Hit) -> tuple[object, ...]:
    return (
        hit.object_id,
        "" if hit.score is None else f"{hit.score:.3f}",
        iso(hit.start_time)[:19],
        hit.camera,
        hit.label,
        hit.sub_label,
        hit.description,
        hit.thumbnail,
    )
