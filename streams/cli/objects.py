"""`nvr-streams objects`: the merged records of objects."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from streams.adapters.rendering import iso
from streams.cli.output import JsonOption, print_json, print_table, progress
from streams.domain.messages import ObjectRecord
from streams.operations.objects import Wanted, find_object
from streams.operations.objects import list_objects as read_objects
from streams.settings import Settings


def commands() -> typer.Typer:
    """The group of commands."""
    app = typer.Typer(no_args_is_help=True)
    app.command("list")(list_objects)
    app.command("show")(show_object)
    return app


def list_objects(
    ctx: typer.Context,
    *,
    camera: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only objects of this camera; repeat for several.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only objects with this label; repeat for several.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List the objects, the newest first."""
    settings: Settings = ctx.obj
    wanted = Wanted(cameras=frozenset(camera or ()), labels=frozenset(label or ()))
    with progress("objects") as report:
        found = asyncio.run(read_objects(settings, wanted, report))
    if as_json:
        print_json(found[:limit])
        return
    columns = ("object", "label", "sub label", "camera", "from", "to", "score", "zones", "outcome")
    print_table(columns, (_row(record) for record in found[:limit]))
    typer.echo(f"{min(limit, len(found))} of {len(found)} objects", err=True)


def show_object(
    ctx: typer.Context, object_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the object.")]
) -> None:
    """Show everything that is known about an object, as JSON."""
    settings: Settings = ctx.obj
    with progress("objects") as report:
        found = asyncio.run(find_object(settings, object_id, report))
    print_json(found)


def _row(record: ObjectRecord) -> tuple[object, ...]:
    facts = record.facts
    return (
        record.object_id,
        facts.label,
        facts.sub_label,
        facts.camera,
        iso(facts.start_time)[:19],
        "" if facts.end_time is None else iso(facts.end_time)[:19],
        f"{facts.top_score:.2f}",
        ", ".join(facts.zones),
        record.outcome,
    )
