"""`nvr-streams topology`: the graph of agents and topics."""

from __future__ import annotations

import typer

from streams.cli.output import JsonOption, print_json
from streams.operations.documentation import flow, topology_mermaid
from streams.settings import Settings


def register(app: typer.Typer) -> None:
    app.command("topology")(topology)


def topology(ctx: typer.Context, *, as_json: JsonOption = False) -> None:
    """Print the graph of agents and topics, as Mermaid."""
    settings: Settings = ctx.obj
    if as_json:
        print_json(flow(settings))
    else:
        typer.echo(topology_mermaid(settings), nl=False)
