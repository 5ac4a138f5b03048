"""`nvr-streams worker`: runs agents."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.operations.installation import agents as all_agents
from streams.operations.supervision import supervise
from streams.settings import Settings


def register(app: typer.Typer) -> None:
    app.command("worker")(worker)


def worker(
    ctx: typer.Context,
    agents: Annotated[list[str] | None, typer.Argument(metavar="AGENT", help="Agents to run; none: all.")] = None,
) -> None:
    """Run agents until stopped."""
    settings: Settings = ctx.obj
    known = [agent.name for agent in all_agents(settings)]
    if unknown := [name for name in agents or () if name not in known]:
        raise typer.BadParameter(f"no agent {', '.join(unknown)}; there are {', '.join(known)}")
    raise typer.Exit(supervise(work, settings, tuple(dict.fromkeys(agents or ()))))


def work(settings: Settings, agents: tuple[str, ...]) -> None:
    """The supervised process; its supervisor needs none of what this loads."""
    from streams.app import work

    work(settings, agents)
