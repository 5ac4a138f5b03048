"""Puts documents into the vector index, and turns tombstones into index tombstones."""

from __future__ import annotations

from dataclasses import dataclass

from streams.domain.agent import Agent, Step
from streams.domain.messages import Document, Message, Tombstone
from streams.domain.values import Instant
from streams.ports import Index


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """An object that the index holds.

    A tombstone carries no revision of its own. Its time is one, yet where clocks lag not always a higher one than the
    document's, and a lower one would bury nothing.
    """

    revision: int


def index(*, index: Index, model: str, collection: str) -> Agent[Indexed]:
    """Documents of one embedding model go into one collection; nothing is published.

    The agent bears both names, so that the chains of two models, or into two collections, can run side by side.
    """

    async def handle(state: Indexed | None, message: Message, at: Instant) -> Step[Indexed]:
        match message:
            case Document():
                await index.put(message)
                newest = max(message.record.revision, state.revision if state else 0)
                return Step(Indexed(revision=newest))
            case Tombstone():
                await index.bury(message.key, max(at, state.revision + 1) if state else at)
                return Step(None)
            case _:
                return Step(state)

    return Agent(
        name=f"index-{collection}-{model}",
        consumes=(Document,),
        produces=(),
        state=(Indexed,),
        handle=handle,
        model=model,
    )
