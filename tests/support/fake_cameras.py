"""The in-memory twin of the view of the topic `cameras`."""

from __future__ import annotations

from streams.domain.cameras import Camera


class FakeCameras:
    """Cameras never heard of have the defaults; `put` and `remove` are the topic's records and tombstones."""

    def __init__(self, *cameras: Camera) -> None:
        self._known: dict[str, Camera | None] = {camera.name: camera for camera in cameras}

    def put(self, camera: Camera) -> None:
        self._known[camera.name] = camera

    def remove(self, name: str) -> None:
        self._known[name] = None

    def get(self, name: str) -> Camera | None:
        return self._known.get(name, Camera(name=name))

    def all(self) -> tuple[Camera, ...]:
        return tuple(camera for camera in self._known.values() if camera)
