"""Recognisers: one file each, and one line here."""

from __future__ import annotations

from typing import Protocol

from streams.domain.cameras import Camera
from streams.domain.messages import Event


class Recogniser(Protocol):
    """Something that looks at crops and says a name, plate, species or class."""

    def wants(self, camera: Camera, event: Event) -> bool:
        """Whether crops of this object on this camera are to be cut for it."""
        ...


RECOGNISERS: tuple[Recogniser, ...] = ()
"""All recognisers, in the order in which they are asked: one line each."""
