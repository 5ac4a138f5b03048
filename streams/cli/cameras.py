"""`nvr-streams cameras`: the settings of cameras, which take effect without a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from streams.adapters.clock import now
from streams.cli.output import JsonOption, print_json, print_table
from streams.domain.cameras import Camera
from streams.operations.camera_files import read_cameras
from streams.operations.cameras import list_cameras as read_list
from streams.operations.cameras import put_cameras, remove_camera
from streams.settings import Settings


def commands() -> typer.Typer:
    """The group of commands."""
    app = typer.Typer(no_args_is_help=True)
    app.command("list")(list_cameras)
    app.command("put")(put)
    app.command("remove")(remove)
    return app


def list_cameras(ctx: typer.Context, *, as_json: JsonOption = False) -> None:
    """List the cameras that are set; any other has the defaults."""
    settings: Settings = ctx.obj
    cameras = asyncio.run(read_list(settings))
    if as_json:
        print_json(cameras)
        return
    print_table(("camera", "detect", "objects", "zones", "on"), (_row(camera) for camera in cameras))
    typer.echo(f"{len(cameras)} cameras", err=True)


def put(
    ctx: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(help="YAML with Frigate's keys: one camera with its `name`, or several under `cameras`."),
    ],
) -> None:
    """Set cameras from a file, all of it or nothing."""
    settings: Settings = ctx.obj
    cameras = read_cameras(file, now())
    asyncio.run(put_cameras(settings, cameras))
    typer.echo(f"set {', '.join(camera.name for camera in cameras) or 'nothing'}")


def remove(ctx: typer.Context, name: Annotated[str, typer.Argument(help="Name of the camera.")]) -> None:
    """Remove a camera: its objects are cleaned up, and nothing new is made."""
    settings: Settings = ctx.obj
    asyncio.run(remove_camera(settings, name, now()))
    typer.echo(f"removed {name}")


def _row(camera: Camera) -> tuple[str, ...]:
    detect = f"{camera.detect.width}x{camera.detect.height}, {camera.detect.fps} fps"
    return camera.name, detect, ", ".join(camera.objects.track), ", ".join(camera.zones), ", ".join(_on(camera))


def _on(camera: Camera) -> list[str]:
    """What is switched on; a camera that is off does nothing of it."""
    switches = {
        "semantic search": camera.semantic_search.enabled,
        "faces": camera.face_recognition.enabled,
        "plates": camera.lpr.enabled,
        "transcription": camera.audio_transcription.enabled,
        "descriptions": camera.genai.enabled,
        "snapshots": camera.snapshots.enabled,
        "recordings": camera.record.enabled,
    }
    return [name for name, on in switches.items() if on] if camera.enabled else ["off"]
