"""One worker process of a soak: the real runtime, store, codec and index, with a fake model that is slow now and then."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

import structlog
from faust.types import TP

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
from streams.domain.errors import Outage
from streams.domain.values import Instant
from streams.pipeline import needs_pictures, pipeline
from streams.ports import Floats, Image
from streams.runtime import runner
from streams.runtime.broadcast import Broadcast
from streams.runtime.ledger import Ledger, Slot
from streams.runtime.views import CameraView
from streams.runtime.watchdog import RESTART, leave
from streams.runtime.worker import Worker
from streams.settings import Settings, load
from tests.support.fake_embedder import FakeEmbedder
from tests.support.soak import MODEL
from tests.support.soak_outcome import retention_of

log = structlog.get_logger(__name__)


class SlowEmbedder(FakeEmbedder):
    """Quick as a rule, so that what is slow now and then makes its neighbours overtake.

    While the file `hold` is there it does not answer at all.
    """

    def __init__(self, hold: Path | None, slow: float) -> None:
        super().__init__()
        self._hold, self._slow = hold, slow

    async def embed_picture(self, picture: Image) -> Floats:
        while self._hold and self._hold.exists():
            log.info("held")
            await asyncio.sleep(0.2)
        chance = random.random()
        if chance < self._slow:
            await asyncio.sleep(1.0)
        elif chance < self._slow + 0.2:
            await asyncio.sleep(0.03)
        return await super().embed_picture(picture)


class CarelessLedger(Ledger):
    """Finishes a message when it is taken, as naive consumers do: the negative control."""

    async def take(self, tp: TP, offset: int, *, generation: int, time: Instant) -> Slot | None:
        slot = await super().take(tp, offset, generation=generation, time=time)
        if slot:
            slot.finish()
        return slot


async def run(settings: Settings, hold: Path | None, slow: float) -> None:
    catalogue, store = Catalogue(settings.kafka.prefix), Store(settings.store)
    registry = Registry(settings.registry)
    codec, view = Codec(catalogue, registry), CameraView(needs_pictures)
    space = Space(model=MODEL, dim=FakeEmbedder().dim)
    with ThreadPoolExecutor(2) as threads:
        pictures = StoredPictures(store, threads, max_pixels=settings.store.max_pixels)
        async with open_index(settings.index, site=settings.site, space=space, public_url=pictures.public_url) as index:
            agents = pipeline(
                pictures=pictures,
                cameras=view,
                embedder=SlowEmbedder(hold, slow),
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
    """`HOLD` names a file, see `SlowEmbedder`, `SLOW` is the share of slow pictures.

    `SABOTAGE=commit-at-once` makes the ledger careless.
    """
    settings, hold = load(Path(sys.argv[1])), os.environ.get("HOLD")
    configure(settings.log)
    careless = os.environ.get("SABOTAGE") == "commit-at-once"
    with patch.object(runner, "Ledger", CarelessLedger if careless else Ledger):
        try:
            asyncio.run(run(settings, Path(hold) if hold else None, float(os.environ.get("SLOW", "0.02"))))
        except Outage as outage:  # at the start, as the application takes it
            log.warning("cannot start yet", error=str(outage))
            leave(RESTART)
    leave(0)


if __name__ == "__main__":
    main()
