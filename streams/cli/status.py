"""`nvr-streams status`: how things stand, and what to do."""

from __future__ import annotations

import typer

from streams.cli.output import JsonOption, print_json, print_table
from streams.operations.status import AgentRow, Overview, hints, overview
from streams.settings import Settings


def register(app: typer.Typer) -> None:
    app.command("status")(status)


def status(ctx: typer.Context, *, as_json: JsonOption = False) -> None:
    """Show how things stand, and what to do; exit code 1 unless every agent is ready somewhere on this machine."""
    settings: Settings = ctx.obj
    found = overview(settings)
    todo = list(hints(found, settings))
    if as_json:
        print_json(
            {
                "well": found.well,
                "kafka": found.kafka,
                "agents": found.agents,
                "workers": found.workers,
                "hints": todo,
            }
        )
    else:
        _print(found)
        typer.echo("".join(f"\n→ {hint}" for hint in todo))
    raise typer.Exit(0 if found.well else 1)


def _print(found: Overview) -> None:
    columns = ("agent", "worker", "state", "lag", "in flight", "per second", "handled", "waiting for", "dead letters")
    print_table(columns, (_row(row) for row in found.agents))
    for report in found.workers:
        models = (f"{model.name} {model.state} {model.provider}".rstrip() for model in report.models)
        speeds = (
            f"{work.name} {work.seconds * 1000:.2f} ms, {work.per_second:.1f} per second"
            for work in report.work
            if work.done
        )
        for line in (*models, *speeds):
            typer.echo(f"{report.worker}: {line}")


def _row(row: AgentRow) -> tuple[object, ...]:
    told = row.status
    if told is None:
        return row.agent, "-", "not here", "?" if row.lag is None else row.lag
    lag = told.lag if row.lag is None else row.lag
    waiting = ", ".join(f"{wait.what} ({wait.seconds:.0f} s)" for wait in told.waiting)
    state = f"{told.state}: {told.detail}" if told.detail else told.state
    dead = sum(told.dead_letters.values())
    return row.agent, row.worker, state, lag, told.in_flight, f"{told.rate:.1f}", told.handled, waiting, dead
