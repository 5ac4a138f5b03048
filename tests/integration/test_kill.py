"""Two workers killed in the middle of their work leave exactly what an undisturbed run leaves."""

from __future__ import annotations

import asyncio
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from streams.domain.messages import Event
from streams.domain.values import SECOND, Instant
from streams.runtime.watchdog import RESTART
from tests.support.qdrant_front import Front
from tests.support.services import Services
from tests.support.sites import Site, feed, site
from tests.support.soak import RETENTION, Script, Sent
from tests.support.soak_outcome import Outcome, fired, left_behind, undisturbed

FEED_SECONDS = 25.0


def clock() -> Instant:
    return time.time_ns() // 1_000_000 * 1000  # Kafka keeps milliseconds


def script(
    site: Site, *, objects: int = 150, updates: int = 9, seed: int = 1, due: Instant | None = None
) -> list[Sent]:
    lives = Script(
        seed=seed,
        objects=objects,
        updates=updates,
        poison=0.02,
        frames=site.folder / "frames",
        begin=clock() - 3_600_000_000,
        due=due,
    )
    return asyncio.run(lives.records(site.codec, site.catalogue.topic_name(Event)))


def expected(site: Site, sent: list[Sent], *, until: Instant = 0) -> Outcome:
    aside = site.settings.store.model_copy(update={"url": (site.folder / "undisturbed").as_uri()})
    return asyncio.run(undisturbed(site.settings.model_copy(update={"store": aside}), sent, until=until))


@pytest.fixture
def front() -> Iterator[Front]:
    with Front() as running:
        yield running


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("partitioner", "worker"),
    [
        pytest.param("murmur2_random", {"static": True, "state": "memory"}, id="static, memory"),
        pytest.param(
            "consistent_random", {"static": False, "state": "rocksdb"}, id="dynamic, RocksDB, any partitioner"
        ),
    ],
)
def test_kills_leave_what_an_undisturbed_run_leaves(
    services: Services, prefix: str, tmp_path: Path, front: Front, partitioner: str, worker: dict[str, object]
) -> None:
    """`consistent_random` is what confluent-kafka does by default: upstream may partition events as it likes."""
    with site(services, prefix, tmp_path, front.url, RETENTION, **worker) as running:
        due = clock() + int((FEED_SECONDS + 20) * SECOND)
        sent = script(running, due=due)
        want = expected(running, sent, until=due + len(sent) * 1000)
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
        running.wait_until(lambda: fired(running.settings, running.codec) >= want.fired, 60)
        running.wait_until_done(30)
        for number in list(running.workers):
            assert running.end(number, signal.SIGTERM) == 0, running.logs()
        got = asyncio.run(left_behind(running.settings, running.codec))
        different = want.differences(got)
        assert not different, "\n".join([*different, running.logs()])
        assert min(want.counts().values()) > 10, want.counts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """While the file is there the model does not answer: what needs it stays in flight."""

    file: Path

    def set(self, running: Site) -> None:
        self.file.touch()
        running.environment["HOLD"] = str(self.file)

    def release(self) -> None:
        self.file.unlink()


def in_flight(running: Site, *numbers: int) -> Callable[[], bool]:
    return lambda: all(running.said(number, "held") > 0 for number in numbers)


@pytest.mark.timeout(300)
def test_what_is_in_flight_outlives_a_stop_and_a_kill(
    services: Services, prefix: str, tmp_path: Path, front: Front
) -> None:
    hold = Hold(file=tmp_path / "hold")
    with site(services, prefix, tmp_path, front.url) as running:
        sent = script(running, objects=5, updates=3)
        want = expected(running, sent)
        hold.set(running)
        feed(running, sent)
        running.start(0)
        running.wait_until(in_flight(running, 0))
        told = time.monotonic()
        assert running.end(0, signal.SIGTERM) == 0, running.logs()
        assert time.monotonic() - told < running.settings.worker.grace.total_seconds() + 5
        running.start(0)
        running.wait_until(in_flight(running, 0))
        assert running.end(0, signal.SIGKILL) == -signal.SIGKILL
        hold.release()
        assert finished(running, 0, want) == []


@pytest.mark.timeout(300)
def test_a_worker_that_commits_what_it_has_only_taken_loses_it(
    services: Services, prefix: str, tmp_path: Path, front: Front
) -> None:
    """The negative control: the same kill, and the comparison names the one document that was in flight."""
    hold = Hold(file=tmp_path / "hold")
    with site(services, prefix, tmp_path, front.url) as running:
        sent = script(running, objects=1, updates=3)
        want = expected(running, sent)
        (lost,) = want.documents
        hold.set(running)
        running.environment["SABOTAGE"] = "commit-at-once"
        feed(running, sent)
        running.start(0)
        running.wait_until(lambda: in_flight(running, 0)() and running.is_done())
        running.end(0, signal.SIGKILL)
        hold.release()
        assert finished(running, 0, want) == [
            f"documents: 1 only in the first, such as {lost}",
            f"points: 1 only in the first, such as {lost}",
        ]


@pytest.mark.timeout(300)
def test_a_worker_that_stood_still_longer_than_its_session_leaves_and_writes_nothing_more(
    services: Services, prefix: str, tmp_path: Path, front: Front
) -> None:
    hold = Hold(file=tmp_path / "hold")
    with site(services, prefix, tmp_path, front.url) as running:
        sent = script(running, objects=30, updates=3)
        want = expected(running, sent)
        hold.set(running)
        feed(running, sent)
        running.start(0)
        running.start(1)
        running.wait_until(in_flight(running, 0, 1))
        zombie = running.workers[0]
        zombie.send_signal(signal.SIGSTOP)
        hold.release()
        running.wait_until_done(90)
        written = running.written()
        zombie.send_signal(signal.SIGCONT)
        assert running.workers.pop(0).wait(20) == RESTART, running.logs()
        assert running.written() == written
        assert finished(running, 1, want) == []


def finished(running: Site, number: int, want: Outcome) -> list[str]:
    """Lets the worker do what is left to do, started if it does not run; how the outcome differs then."""
    if number not in running.workers:
        running.start(number)
    running.wait_until(lambda: running.is_ready(number))
    running.wait_until_done(90)
    assert running.end(number, signal.SIGTERM) == 0, running.logs()
    return want.differences(asyncio.run(left_behind(running.settings, running.codec)))
