"""`nvr-streams demo`: what `make demo` runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from streams.adapters.rendering import iso
from streams.cli.output import JsonOption, invoked, print_json, print_table
from streams.cli.search import open_search
from streams.cli.worker import work
from streams.operations.demo import FOLDER, QUESTION, DemoReport, Found, demo
from streams.ports import Hit

MOST_ROWS = 18
"""Objects that are printed: all of it stays on one screen."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(run_demo)


def run_demo(
    video: Annotated[Path | None, typer.Argument(metavar="VIDEO", help="A video; default: the shipped one.")] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show everything at work on this machine: a video in, searchable objects out.

    Starts Kafka, the registry and a worker, plays the video, waits until every object is indexed, searches, and stops
    what it started. What came out stays in var/demo.
    """
    if video is not None and not video.exists():
        raise typer.BadParameter(f"no file {video}")
    began = time.monotonic()

    def say(words: str) -> None:
        typer.echo(f"{time.monotonic() - began:5.1f} s  {words}", err=True)

    report = asyncio.run(demo(video, work=work, opener=open_search, say=say))
    if as_json:
        print_json(report)
    else:
        _print(report)
    for flaw in report.flaws:
        typer.echo(f"error: {flaw}", err=True)
    raise typer.Exit(1 if report.flaws else 0)


def _print(report: DemoReport) -> None:
    typer.echo(f"\n{len(report.objects)} objects, {report.points} points, {report.dead_letters} dead letters")
    _print_objects(report.objects)
    typer.echo(f'\n"{QUESTION}"')
    _print_hits(report.search)
    typer.echo(_whereabouts())


def _print_objects(objects: Sequence[Found]) -> None:
    print_table(
        ("label", "camera", "from", "to", "score", "thumbnail"),
        (
            (o.label, o.camera, _clock(o.start_time), _clock(o.end_time), f"{o.score:.2f}", _short(o.thumbnail))
            for o in objects[:MOST_ROWS]
        ),
    )
    if len(objects) > MOST_ROWS:
        typer.echo(f"and {len(objects) - MOST_ROWS} more in {FOLDER / 'report.json'}")


def _print_hits(hits: Sequence[Hit]) -> None:
    print_table(
        ("score", "label", "camera", "time", "thumbnail"),
        (
            (f"{h.score:.3f}" if h.score else "", h.label, h.camera, _clock(h.start_time), _short(h.thumbnail))
            for h in hits
        ),
    )


def _clock(moment: int | None) -> str:
    """The time of day, in UTC."""
    return "" if moment is None else iso(moment)[11:19]


def _short(uri: str | None) -> str:
    """A picture's place below the store."""
    place = f"{FOLDER.absolute().as_uri()}/"
    return (uri or "").removeprefix(place)


def _whereabouts() -> str:
    program = invoked()
    with_data = f"{program} --config {FOLDER / 'settings.yaml'}"
    return f"""
pictures {FOLDER / "store"}, vectors {FOLDER / "index"}, topics {FOLDER / "services"}, report {FOLDER / "report.json"}
next:  {with_data} search "a parked car"
       {with_data} search --like OBJECT --label person
       {program} local up --folder {FOLDER / "services"}    (then: objects list, tail events, as it says)"""
