"""One worker process of a soak: the real runtime, store, codec and index, with a fake model that is slow now and then."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.fake_embedder import FakeEmbedder

from streams.adapters.catalogue import Catalogue
from streams.adapters.codec import Codec
from streams.adapters.logs import configure
from streams.adapters.pictures import StoredPictures
from streams.adapters.qdrant import open_index
from streams.adapters.qdrant_points import Space
from streams.adapters.registry import Registry
from streams.adapters.store import Store
from streams.adapters.telemetry import Telemetry
from streams.domain.cameras import Camera
from streams.pipeline import pipeline
from streams.ports import Floats, Image
from streams.runtime.broadcast import Broadcast
from streams.runtime.ledger import Ledger, Slot
from streams.runtime.views import CameraView
from streams.runtime.watchdog import leave
from streams.runtime.worker import Worker
from streams.settings import Settings, load
from tests.support.soak import MODEL, retention_of


class SlowEmbedder(FakeEmbedder):
    """Quick as a rule, so that what is slow now and then makes its neighbours overtake."""

    async def embed_picture(self, picture: Image) -> Floats:
        chance = random.random()
        if chance < 0.02:
            await asyncio.sleep(1.0)
        elif chance < 0.2:
            await asyncio.sleep(0.03)
        return await super().embed_picture(picture)


def commit_at_once() -> None:
    """The sabotage of the negative control: offsets are finished when a message is taken, as naive consumers do."""
    take = Ledger.take

    async def careless(self: Ledger, *args: object, **parts: object) -> Slot | None:
        slot = await take(self, *args, **parts)  # type: ignore[arg-type]
        if slot is not None and not slot.done:
            slot.finish()
            slot.partition.open += 1  # the lane's own `finish` counts down once more
        return slot

    Ledger.take = careless  # type: ignore[assignment,method-assign]
    Slot.finish = _finish_once(Slot.finish)  # type: ignore[method-assign]


def _finish_once(finish: object) -> object:
    def once(slot: Slot) -> None:
        if not slot.done:
            finish(slot)  # type: ignore[operator]

    return once


async def run(settings: Settings) -> None:
    catalogue, store = Catalogue(settings.kafka.prefix), Store(settings.store)
    registry = Registry(settings.registry)
    codec, view = Codec(catalogue, registry), CameraView()
    space = Space(model=MODEL, dim=FakeEmbedder().dim)
    with ThreadPoolExecutor(2) as threads:
        pictures = StoredPictures(store, threads, max_pixels=settings.store.max_pixels)
        async with open_index(settings.index, site=settings.site, space=space, public_url=pictures.public_url) as index:
            agents = pipeline(
                pictures=pictures,
                cameras=view,
                embedder=SlowEmbedder(),
                index=index,
                model=MODEL,
                collection=settings.index.collection,
                retention=retention_of(settings),
            )
            cameras = Broadcast(catalogue.topic_name(Camera), kafka=settings.kafka, codec=codec, apply=view.apply)
            worker = Worker(
                settings,
                agents,
                broadcasts=[cameras],
                codec=codec,
                catalogue=catalogue,
                telemetry=Telemetry(settings.worker.name),
            )
            await worker.run()


def main() -> None:
    settings = load(Path(sys.argv[1]))
    configure(settings.log)
    if os.environ.get("SABOTAGE") == "commit-at-once":
        commit_at_once()
    asyncio.run(run(settings))
    leave(0)


if __name__ == "__main__":
    main()
