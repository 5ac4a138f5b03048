"""The whole pipeline on a loopback, with an in-memory world around it."""

from __future__ import annotations

from typing import TypeVar

from streams.domain.messages import Message
from streams.pipeline import needs_pictures, needs_pictures_without_vectors, pipeline
from streams.recognisers import RECOGNISERS, Recogniser
from streams.runtime.loopback import Loopback
from tests.support.builders import RETENTION, frame
from tests.support.fake_cameras import FakeCameras
from tests.support.fake_embedder import FakeEmbedder
from tests.support.fake_index import FakeIndex
from tests.support.fake_pictures import FakePictures
from tests.support.footage import show

M = TypeVar("M", bound=Message)


class World:
    """The frames of the first twenty seconds are there; `embedding` off is an installation without an embedder."""

    def __init__(
        self, *, deliveries: int = 1, embedding: bool = True, recognisers: tuple[Recogniser, ...] = RECOGNISERS
    ) -> None:
        self.pictures, self.cameras, self.index = FakePictures(), FakeCameras(), FakeIndex()
        self.embedder = FakeEmbedder()
        show(self.pictures, *(frame(second) for second in range(21)))
        agents = pipeline(
            pictures=self.pictures,
            cameras=self.cameras,
            embedder=self.embedder if embedding else None,
            index=self.index,
            model="mini",
            collection="objects",
            retention=RETENTION,
            wants_thumbnails=needs_pictures if embedding else needs_pictures_without_vectors,
            recognisers=recognisers,
        )
        self.loop = Loopback(agents, deliveries=deliveries)

    async def hear(self, *told: Message) -> None:
        for each in told:
            await self.loop.send(each)

    def said(self, kind: type[M]) -> list[M]:
        """What agents published of that class, in order."""
        return [each for each in self.loop.published if isinstance(each, kind)]
