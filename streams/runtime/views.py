"""Read-only views of broadcast topics, for agents: filled by a `Broadcast`, complete before any agent starts."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from streams.domain.cameras import Camera
from streams.domain.messages import Message, Tombstone

log = structlog.get_logger(__name__)


class CameraView:
    """The topic `cameras` as `ports.Cameras`; it says of which cameras no pictures are cut."""

    def __init__(self, needs_pictures: Callable[[Camera], bool]) -> None:
        self._needs_pictures = needs_pictures
        self._cameras: dict[str, Camera | None] = {}

    def apply(self, message: Message) -> None:
        match message:
            case Camera(name=name):
                self._cameras[name] = message
                if not self._needs_pictures(message):
                    log.info("no pictures are cut for this camera: nothing on it needs them", camera=name)
            case Tombstone(name=name):
                self._cameras[name] = None
            case _:
                raise TypeError(f"cameras does not carry {type(message).__name__}")

    def get(self, name: str) -> Camera | None:
        """The defaults for a camera never heard of, None for a removed one."""
        return self._cameras.get(name, Camera(name=name))

    def all(self) -> tuple[Camera, ...]:
        return tuple(camera for camera in self._cameras.values() if camera)
