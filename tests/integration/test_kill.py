"""Two workers killed in the middle of their work leave exactly what an undisturbed run leaves."""

from __future__ import annotations

import asyncio
import random
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from streams.domain.messages import Event
from tests.support.qdrant_front import Front
from tests.support.services import Services
from tests.support.sites import Site, feed, site
from tests.support.soak import Outcome, Script, Sent, left_behind, undisturbed

FEED_SECONDS = 25.0


def script(site: Site, *, objects: int = 150, seed: int = 1) -> list[Sent]:
    now = time.time_ns() // 1_000_000 * 1000  # Kafka keeps milliseconds
    lives = Script(
        seed=seed, objects=objects, updates=8, poison=0.02, frames=site.folder / "frames", begin=now - 3_600_000_000
    )
    return asyncio.run(lives.records(site.codec, site.catalogue.topic_name(Event)))


def expected(site: Site, sent: list[Sent]) -> Outcome:
    aside = site.settings.store.model_copy(update={"url": (site.folder / "undisturbed").as_uri()})
    return asyncio.run(undisturbed(site.settings.model_copy(update={"store": aside}), sent))


@pytest.fixture
def front() -> Iterator[Front]:
    with Front() as running:
        yield running


@pytest.mark.timeout(300)
@pytest.mark.parametrize("partitioner", ["murmur2_random", "consistent_random"])
def test_kills_leave_what_an_undisturbed_run_leaves(
    services: Services, prefix: str, tmp_path: Path, front: Front, partitioner: str
) -> None:
    """`consistent_random` is what confluent-kafka does by default: upstream may partition events as it likes."""
    with site(services, prefix, tmp_path, front.url) as running:
        sent = script(running)
        want = expected(running, sent)
        feeding = threading.Thread(target=partial(feed, running, sent, seconds=FEED_SECONDS, partitioner=partitioner))
        running.start(0)
        running.start(1)
        time.sleep(5)
        feeding.start()
        chance = random.Random(7)
        for number, how in ((0, signal.SIGKILL), (1, signal.SIGTERM), (1, signal.SIGKILL)):
            time.sleep(chance.uniform(3, 6))
            code = running.end(number, how)
            assert code == (0 if how is signal.SIGTERM else -9), running.logs()
            running.start(number)
        feeding.join()
        running.wait_until_done(90)
        for number in list(running.workers):
            assert running.end(number, signal.SIGTERM) == 0, running.logs()
        got = asyncio.run(left_behind(running.settings, running.codec))
        different = want.differences(got)
        assert not different, "\n".join([*different, running.logs()])
        assert min(want.counts().values()) > 10, want.counts()
