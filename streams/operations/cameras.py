"""The compacted topic `cameras`: what is set for each camera now, and changes to it."""

from __future__ import annotations

from collections.abc import Iterable

from streams.domain.cameras import Camera
from streams.domain.cross_checks import Switches, check
from streams.domain.errors import SettingsError
from streams.domain.messages import Message, Tombstone
from streams.domain.values import Instant
from streams.operations.messages import current, publishing
from streams.settings import Settings


async def list_cameras(settings: Settings) -> list[Camera]:
    """The cameras that are set, by name. Raises `Outage` and `LookupError` (no such topic)."""
    return sorted(await current(settings, Camera), key=lambda camera: camera.name)


async def put_cameras(settings: Settings, cameras: Iterable[Camera]) -> None:
    """Set these cameras, all or none. Raises `SettingsError` naming everything that does not fit together."""
    fresh = {camera.name: camera for camera in cameras}
    known = {camera.name: camera for camera in await list_cameras(settings)}
    if wrong := faults(fresh.values(), {**known, **fresh}.values(), settings):
        raise SettingsError("\n".join(wrong))
    await _publish(settings, fresh.values())


async def remove_camera(settings: Settings, name: str, at: Instant) -> None:
    """Remove a camera: its objects are cleaned up, nothing new is made. Raises `LookupError` when it is not set."""
    known = [camera.name for camera in await list_cameras(settings)]
    if name not in known:
        raise LookupError(f"no camera {name}; there are {', '.join(known) or 'none'}")
    await _publish(settings, [Tombstone(of=Camera, name=name, at=at)])


def faults(fresh: Iterable[Camera], everyone: Iterable[Camera], settings: Settings) -> list[str]:
    """What does not fit, camera by camera; `everyone` are all cameras as they will be."""
    switches = Switches(
        face=settings.face.enabled, plate=settings.plate.enabled, transcription=settings.transcription.enabled
    )
    everyone = tuple(everyone)
    return [
        f"camera {camera.name}: {line}"
        for camera in fresh
        for line in check(camera, switches=switches, cameras=everyone)
    ]


async def _publish(settings: Settings, messages: Iterable[Message]) -> None:
    async with publishing(settings, "cameras") as publisher:
        for message in messages:
            await publisher.publish(message)
