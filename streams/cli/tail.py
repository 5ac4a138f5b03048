"""`nvr-streams tail`: any of our topics as JSON lines."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer

from streams.operations.tail import Asked
from streams.operations.tail import tail as records
from streams.settings import Settings


def register(app: typer.Typer) -> None:
    app.command("tail")(tail)


def tail(
    ctx: typer.Context,
    topic: Annotated[str, typer.Argument(help="Name of the topic, with or without the prefix.")],
    *,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="All that the topic holds, too.")] = False,
    once: Annotated[bool, typer.Option("--once", help="What the topic holds now, then stop.")] = False,
    key: Annotated[str | None, typer.Option(help="Only records with this key.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Stop after so many records; 0: go on.")] = 0,
) -> None:
    """Follow a topic, decoded to JSON lines."""
    asked = Asked(topic=topic, from_beginning=from_beginning, follow=not once, key=key, limit=limit)
    asyncio.run(_print(ctx.obj, asked))


async def _print(settings: Settings, asked: Asked) -> None:
    async for record in records(settings, asked):
        # Gives Ctrl-C its turn while nothing comes.
        await asyncio.sleep(0)
        if record is not None:
            print(json.dumps(record, ensure_ascii=False), flush=True)
