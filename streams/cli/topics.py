"""`nvr-streams topics`: makes, verifies and lists the topics."""

from __future__ import annotations

from datetime import timedelta

import typer

from streams.adapters.catalogue import Topic
from streams.cli.output import JsonOption, print_json, print_table
from streams.operations.installation import topics as all_topics
from streams.operations.topics import Found, check, create, find
from streams.settings import Settings


def commands() -> typer.Typer:
    """The group of commands."""
    app = typer.Typer(no_args_is_help=True)
    app.command("create")(create_topics)
    app.command("check")(check_topics)
    app.command("list")(list_topics)
    return app


def create_topics(ctx: typer.Context, *, as_json: JsonOption = False) -> None:
    """Make the topics that are missing; those that exist are left as they are."""
    settings: Settings = ctx.obj
    made = create(settings.kafka, all_topics(settings))
    if as_json:
        print_json({"made": made})
    else:
        print("\n".join(f"made {name}" for name in made) or "all topics exist")


def check_topics(ctx: typer.Context, *, as_json: JsonOption = False) -> None:
    """Compare the topics with what they should be; exit code 1 on any difference."""
    settings: Settings = ctx.obj
    topics = all_topics(settings)
    differences = check(settings.kafka, topics)
    if as_json:
        print_json({"differences": differences})
    else:
        print("\n".join(differences) or f"{len(topics)} topics are as they should be")
    raise typer.Exit(1 if differences else 0)


def list_topics(ctx: typer.Context, *, as_json: JsonOption = False) -> None:
    """List the topics: what they carry, who writes and reads them, and whether they exist."""
    settings: Settings = ctx.obj
    topics = all_topics(settings)
    found = find(settings.kafka, topics)
    if as_json:
        print_json([_as_json(topic, found.get(topic.name)) for topic in topics])
    else:
        columns = ("topic", "partitions", "key", "message", "kept", "written by", "read by")
        print_table(columns, (_row(topic, found.get(topic.name)) for topic in topics))


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


def _row(topic: Topic, found: Found | None) -> tuple[object, ...]:
    return (
        topic.name,
        found.partitions if found else "missing",
        topic.key,
        topic.message.__name__ if topic.message else None,
        "newest per key" if topic.retention is None else f"{topic.retention / timedelta(hours=1):g} h",
        ", ".join(topic.writers),
        ", ".join(topic.readers),
    )
