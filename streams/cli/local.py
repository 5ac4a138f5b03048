"""`nvr-streams local`: the broker and the schema registry of one machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from streams.cli.output import JsonOption, invoked, print_json, print_table
from streams.operations.local import FOLDER, LocalServices, ServiceStatus

Folder = Annotated[Path, typer.Option("--folder", help="Where data, logs and programs lie.")]


def commands() -> typer.Typer:
    """The group of commands."""
    app = typer.Typer(no_args_is_help=True)
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command()(wipe)
    return app


def up(
    folder: Folder = FOLDER,
    kafka_port: Annotated[int, typer.Option(min=0, max=65535, help="Another one if it is taken; 0: any.")] = 9092,
    registry_port: Annotated[int, typer.Option(min=0, max=65535, help="Another one if it is taken; 0: any.")] = 8081,
) -> None:
    """Start Kafka and the schema registry on loopback; they run on until `down`."""
    services = LocalServices(folder, libs=_fetched(), kafka_port=kafka_port, registry_port=registry_port)
    with _progress() as report:
        running = services.up(report)
    typer.echo(f"kafka     {running.bootstrap}\nregistry  {running.registry_url}")
    typer.echo(f"use them: {invoked()} --config {_short(running.settings)} ...")


def down(folder: Folder = FOLDER) -> None:
    """End what `up` started; topics and schemas stay."""
    with _progress() as report:
        LocalServices(folder).down(report)


def status(folder: Folder = FOLDER, *, as_json: JsonOption = False) -> None:
    """Show what runs where; exit code 1 unless everything is ready."""
    services = LocalServices(folder)
    found = services.status()
    if as_json:
        print_json({"folder": str(services.folder), "services": found})
    else:
        print_table(("service", "state", "address", "pid", "log"), map(_row, found))
        _tell_crashes(found)
    if any(service.state != "ready" for service in found):
        raise typer.Exit(1)


def wipe(
    folder: Folder = FOLDER,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """End what runs, and remove all topics and schemas; the fetched programs stay."""
    services = LocalServices(folder)
    if not yes:
        typer.confirm(f"Remove all topics and schemas in {_short(services.folder)}?", abort=True)
    with _progress() as report:
        services.wipe(report)


def _fetched() -> Path | None:
    """The programs that were fetched for the usual folder serve every other one too."""
    libs = FOLDER / "libs"
    return libs if libs.is_dir() else None


def _row(service: ServiceStatus) -> tuple[object, ...]:
    return service.title, service.state, service.address, service.pid, _short(service.log)


def _tell_crashes(found: tuple[ServiceStatus, ...]) -> None:
    for service in found:
        if service.state == "crashed":
            typer.echo(f"\n{service.title} ended by itself; the end of its log:\n{service.last_words}", err=True)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Each step on a line of its own, with the seconds since the start; a spinner while people wait."""
    console = Console(stderr=True, highlight=False)
    start = time.monotonic()
    with console.status("working") as spinner:

        def report(step: str) -> None:
            spinner.update(step.partition("\n")[0])
            console.print(f"{time.monotonic() - start:5.1f} s  {step}", markup=False, soft_wrap=True)

        yield report


def _short(path: Path) -> Path:
    """Relative to where the person is, if it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
