"""`nvr-streams play`: videos through the detector and tracker into the topics of events."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from streams.adapters.clock import now
from streams.cli.output import JsonOption, print_json, print_table
from streams.cli.times import instant
from streams.operations.play import PlayOptions, PlayReport, play
from streams.operations.play import Progress as Heard
from streams.settings import Settings
from streams.sources.choice import FPS, THRESHOLD, TRACKED, Choice
from streams.sources.feed import Tally

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it; everything that was open has ended by then."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("play")(play_videos)


def play_videos(
    ctx: typer.Context,
    videos: Annotated[
        list[Path],
        typer.Argument(metavar="VIDEO", help="Videos, or folders of videos and pictures.", show_default=False),
    ],
    *,
    camera: Annotated[
        str | None, typer.Option(help="One camera for all of it; else each video is one, called like its file.")
    ] = None,
    speed: Annotated[float, typer.Option(min=0, help="Times real time; 0: as fast as possible.")] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Begin anew at the end, until Ctrl-C.")] = False,
    fps: Annotated[
        int | None,
        typer.Option(min=1, max=60, help=f"Frames looked at per second. Default: as the camera is set, {FPS}."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.05, max=1, help=f"Score of a true positive. Default: as the camera is set, {THRESHOLD}."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help=f"What is tracked; repeat for several. Default: as the camera is set, {', '.join(TRACKED)}."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Time of the first frame: 2h, 3d (before now), or ISO 8601. Default: now."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Play videos through the detector and tracker into the topics of events.

    Objects that are still there end with the video, or at Ctrl-C; then the exit code is 130.
    """
    settings: Settings = ctx.obj
    clock = now()
    options = PlayOptions(
        start=clock if start is None else instant(start, clock),
        camera=None if camera is None else _camera(camera),
        speed=speed,
        loop=loop,
        choice=Choice(fps=fps, threshold=threshold, labels=tuple(label) if label else None),
    )
    report = asyncio.run(_play(settings, videos, options))
    _print(report, as_json=as_json)
    if report.stopped:
        raise typer.Exit(INTERRUPTED)


def _camera(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise typer.BadParameter(f"{name!r} is no name of a camera: letters, digits, _ and -, 64 at most")
    return name


async def _play(settings: Settings, videos: list[Path], options: PlayOptions) -> PlayReport:
    stop = asyncio.Event()
    with _interruptible(stop), _progress() as heard:
        return await play(settings, videos, options, stop=stop, progress=heard)


@contextmanager
def _interruptible(stop: asyncio.Event) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) ends the playback in good order; a second one ends the program."""
    loop = asyncio.get_running_loop()

    def end() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, end)
    loop.add_signal_handler(signal.SIGTERM, end)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        loop.remove_signal_handler(signal.SIGTERM)


@contextmanager
def _progress() -> Iterator[Heard]:
    """One line per camera on the screen's error side while it plays; nothing stays of it."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[seen]}"))
    lines: dict[str, TaskID] = {}
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:

        def heard(camera: str, tally: Tally, messages: int) -> None:
            if camera not in lines:
                lines[camera] = bar.add_task(camera, total=None, seen="")
            seen = f"frames, {tally.objects} objects, {messages} messages"
            bar.update(lines[camera], completed=tally.frames, total=tally.expected or None, seen=seen)

        yield heard


def _print(report: PlayReport, *, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    print_table(
        ("camera", "frames", "objects", "true positives"),
        ((name, tally.frames, tally.objects, _true(tally)) for name, tally in report.cameras.items()),
    )
    typer.echo(f"{report.messages} messages published and acknowledged", err=True)


def _true(tally: Tally) -> str:
    """How many objects of each label were no false positives."""
    return ", ".join(f"{count} {label}" for label, count in sorted(tally.true_positives.items())) or "none"
