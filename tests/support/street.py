"""The whole pipeline over real pictures: encoded frames in a store, decoded and cut by the adapter."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Final

import cv2
import numpy as np

from streams.adapters.pictures import StoredPictures
from streams.adapters.store import Store
from streams.domain.cameras import Camera
from streams.domain.messages import Crop, Document, Event, Message
from streams.domain.values import FrameRef
from streams.pipeline import pipeline
from streams.ports import Image
from streams.runtime.loopback import Loopback
from streams.settings import Store as StoreSettings
from tests.support.builders import RETENTION, at, event
from tests.support.fake_cameras import FakeCameras
from tests.support.fake_embedder import FakeEmbedder
from tests.support.fake_index import FakeIndex

WIDTH: Final = 1280
HEIGHT: Final = 720


class Everything:
    """A recogniser that looks at every crop."""

    def wants(self, camera: Camera, event: Event) -> bool:
        del camera, event
        return True


class Street:
    """What is filmed lies in `store`; `embedder` and `index` are the in-memory twins."""

    def __init__(self, threads: Executor) -> None:
        self.store = Store(StoreSettings(url="memory:"))
        self.pictures = StoredPictures(self.store, threads, max_pixels=4_000_000)
        self.embedder, self.index = FakeEmbedder(), FakeIndex()
        agents = pipeline(
            pictures=self.pictures,
            cameras=FakeCameras(),
            embedder=self.embedder,
            index=self.index,
            model="mini",
            collection="objects",
            retention=RETENTION,
            recognisers=(Everything(),),
        )
        self.loop = Loopback(agents)

    async def film(self, second: float, *, shade: int = 90, told: int = WIDTH) -> FrameRef:
        """A frame with a green object in the box of `builders.event`; `told`: the width that is claimed."""
        uri = await self.store.write(f"frames/{at(second)}.jpg", cv2.imencode(".jpg", scene(shade))[1].tobytes())
        return FrameRef(uri=uri, width=told, height=HEIGHT, time=at(second))

    async def sees(self, *seconds: float) -> None:
        """Updates about the object at these seconds, each with its own frame."""
        for second in seconds:
            await self.hear(event(second, frame=await self.film(second)))

    async def hear(self, *told: Message) -> None:
        for each in told:
            await self.loop.send(each)

    @property
    def document(self) -> Document:
        """The only object that can be found."""
        (document,) = self.index.documents.values()
        return document

    @property
    def crops(self) -> list[Crop]:
        return [told for told in self.loop.published if isinstance(told, Crop) and told.picture]


def scene(shade: int) -> Image:
    """Grey of that shade, the box of `builders.event` in green."""
    picture = np.full((HEIGHT, WIDTH, 3), shade, np.uint8)
    if box := event().box:
        picture[box.y1 : box.y2, box.x1 : box.x2] = (0, 255, 0)
    return picture
