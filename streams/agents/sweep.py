"""Removes an object's pictures once its record is deleted."""

from __future__ import annotations

from typing import Never

from streams.domain.agent import Agent, Step
from streams.domain.messages import Message, ObjectRecord, Tombstone
from streams.domain.naming import object_prefix
from streams.domain.values import Instant
from streams.ports import Pictures


def sweep(*, pictures: Pictures) -> Agent[Never]:
    """Tombstones of object records remove the pictures that were cut of the object; upstream's own stay upstream's."""

    async def handle(_: None, message: Message, __: Instant) -> Step[Never]:
        if isinstance(message, Tombstone):
            await pictures.remove(object_prefix(message.key))
        return Step(None)

    return Agent(name="sweep", consumes=(ObjectRecord,), produces=(), state=(), handle=handle)
