"""What a source of frames needs from the outside world: a place for pictures, and the topics."""

from __future__ import annotations

from typing import Protocol

from streams.domain.messages import Message


class PictureStore(Protocol):
    """Where pictures and recordings are kept."""

    async def write(self, name: str, data: bytes) -> str:
        """Keep `data` under a relative name such as `frames/yard/1.jpg`; returns its URI. Raises `Outage`."""
        ...


class Outlet(Protocol):
    """Takes messages to their topics, in order."""

    async def publish(self, message: Message) -> None:
        """Send a message on its way. Raises `Outage`."""
        ...
