"""`nvr-streams topics`: makes, verifies and lists the topics."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from streams.adapters.catalogue import Catalogue, Topic
from streams.operations.topics import Found, check, create, find, needed
from streams.pipeline import outline
from streams.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def commands() -> typer.Typer:
    """The group of commands."""
    app = typer.Typer(help="Make, verify and list the topics.", no_args_is_help=True)
    app.command("create")(create_topics)
    app.command("check")(check_topics)
    app.command("list")(list_topics)
    return app


def create_topics(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Make the topics that are missing; those that exist are left as they are."""
    settings: Settings = ctx.obj
    made = create(settings.kafka, topics_of(settings))
    if as_json:
        print(json.dumps({"made": made}))
    else:
        print("\n".join(f"made {name}" for name in made) or "all topics exist")


def check_topics(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Compare the topics with what they should be; exit code 1 on any difference."""
    settings: Settings = ctx.obj
    topics = topics_of(settings)
    differences = check(settings.kafka, topics)
    if as_json:
        print(json.dumps({"differences": differences}))
    else:
        print("\n".join(differences) or f"{len(topics)} topics are as they should be")
    raise typer.Exit(1 if differences else 0)


def list_topics(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List the topics: what they carry, who writes and reads them, and whether they exist."""
    settings: Settings = ctx.obj
    topics = topics_of(settings)
    found = find(settings.kafka, topics)
    if as_json:
        print(json.dumps([_as_json(topic, found.get(topic.name)) for topic in topics], indent=2))
    else:
        Console().print(_as_table(topics, found))


def topics_of(settings: Settings) -> tuple[Topic, ...]:
    """All topics of an installation, changelogs included."""
    model = settings.embedding.model
    agents = outline(model=model, collection=settings.index.collection)
    stateful = [agent.name for agent in agents if agent.state]
    return needed(Catalogue(settings.kafka.prefix), [model], stateful)


def _as_json(topic: Topic, found: Found | None) -> dict[str, object]:
    return {
        "name": topic.name,
        "description": topic.description,
        "message": topic.message.__name__ if topic.message else None,
        "key": topic.key,
        "owner": topic.owner,
        "writers": topic.writers,
        "readers": topic.readers,
        "settings": topic.settings(),
        "partitions": found.partitions if found else None,
    }


def _as_table(topics: tuple[Topic, ...], found: dict[str, Found]) -> Table:
    table = Table("topic", "partitions", "key", "message", "kept", "written by", "read by")
    for topic in topics:
        there = found.get(topic.name)
        table.add_row(
            topic.name,
            str(there.partitions) if there else "missing",
            topic.key,
            topic.message.__name__ if topic.message else "",
            "newest per key" if topic.retention is None else f"{topic.retention}".removesuffix(", 0:00:00"),
            ", ".join(topic.writers),
            ", ".join(topic.readers),
        )
    return table
