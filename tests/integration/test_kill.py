"""Two workers killed in the middle of their work leave exactly what an undisturbed run leaves."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from confluent_kafka import Producer

from streams.adapters.catalogue import Catalogue
from streams.adapters.codec import Codec
from streams.adapters.kafka import client_config
from streams.adapters.registry import Registry
from streams.adapters.schema_files import SchemaFiles
from streams.domain.messages import Event
from streams.operations.lags import group_lags
from streams.operations.schemas import register
from streams.operations.topics import create, needed
from streams.pipeline import outline
from streams.settings import Settings, load
from tests.support.qdrant_front import Front
from tests.support.services import Services
from tests.support.soak import MODEL, Outcome, Script, Sent, left_behind, undisturbed

FEED_SECONDS = 25.0


@dataclass
class Site:
    """One installation: settings in a file, topics and schemas in place, workers as processes."""

    folder: Path
    settings: Settings
    codec: Codec
    workers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    starts: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def catalogue(self) -> Catalogue:
        return Catalogue(self.settings.kafka.prefix)

    def start(self, number: int) -> None:
        self.starts += 1
        log = (self.folder / f"worker-{number}.{self.starts}.log").open("wb")
        environment = {
            **os.environ,
            **self.environment,
            "NVR_STREAMS__WORKER__NAME": f"w{number}",
            "NVR_STREAMS__WORKER__DATA": str(self.folder / f"data-{number}"),
        }
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "tests.support.soak_worker",
            str(self.folder / "settings.yaml"),
        ]
        self.workers[number] = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def end(self, number: int, how: signal.Signals) -> int:
        self.workers[number].send_signal(how)
        return self.workers.pop(number).wait(40)

    def lag(self) -> dict[str, int | None]:
        agents = outline(model=MODEL, collection=self.settings.index.collection)
        groups = {
            self.catalogue.app_id(agent.name): [
                self.catalogue.topic_name(message, agent.model) for message in agent.consumes
            ]
            for agent in agents
        }
        return group_lags(self.settings.kafka, groups)

    def wait_until_done(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while any(lag != 0 for lag in self.lag().values()):
            assert time.monotonic() < until, f"still behind: {self.lag()}\n{self.logs()}"
            assert all(worker.poll() is None for worker in self.workers.values()), f"a worker died\n{self.logs()}"
            time.sleep(0.5)

    def logs(self) -> str:
        return "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in sorted(self.folder.glob("*.log")))


@contextmanager
def site(services: Services, prefix: str, folder: Path, front: Front, **worker: object) -> Iterator[Site]:
    settings_file = folder / "settings.yaml"
    settings_file.write_text(
        yaml.safe_dump(
            {
                "kafka": {"bootstrap": services.bootstrap, "prefix": prefix},
                "registry": {"url": services.registry_url},
                "store": {"url": (folder / "store").as_uri(), "read": [(folder / "frames").as_uri()]},
                "index": {"url": front.url},
                "embedding": {"model": MODEL},
                "worker": {"session_timeout": "6s", "grace": "3s", "port": 0, **worker},
            }
        )
    )
    (folder / "frames").mkdir()
    settings = load(settings_file)
    catalogue = Catalogue(prefix)
    agents = outline(model=MODEL, collection=settings.index.collection)
    topics = needed(catalogue, [MODEL], [agent.name for agent in agents if agent.state])
    create(settings.kafka, topics)
    with Registry(settings.registry) as registry:
        asyncio.run(register(registry, topics, SchemaFiles()))
        made = Site(folder, settings, Codec(catalogue, registry))
        try:
            yield made
        finally:
            for process in made.workers.values():
                process.kill()
                process.wait(10)


def feed(site: Site, sent: list[Sent], config: dict[str, str | int | float | bool], seconds: float) -> None:
    """Evenly over the time, so that kills come between."""
    producer, topic = Producer(config), site.catalogue.topic_name(Event)
    begin = time.monotonic()
    for number, record in enumerate(sent):
        producer.produce(topic, record.value, key=record.key, timestamp=record.time // 1000)
        producer.poll(0)
        ahead = begin + seconds * number / len(sent) - time.monotonic()
        if ahead > 0.05:
            time.sleep(ahead)
    assert producer.flush(30) == 0


def script(site: Site, *, objects: int = 150, seed: int = 1) -> list[Sent]:
    now = time.time_ns() // 1000
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
    with site(services, prefix, tmp_path, front) as running:
        sent = script(running)
        want = expected(running, sent)
        config = {**client_config(running.settings.kafka), "partitioner": partitioner}
        feeding = threading.Thread(target=feed, args=(running, sent, config, FEED_SECONDS))
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
        assert want.differences(got) == [], running.logs()
        assert min(want.counts().values()) > 10, want.counts()
