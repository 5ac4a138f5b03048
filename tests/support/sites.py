"""One installation for a test: settings in a file, topics and schemas in place, workers as processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from confluent_kafka import Producer

from streams.adapters.catalogue import Catalogue
from streams.adapters.codec import Codec
from streams.adapters.kafka import Plain, producer_config
from streams.adapters.registry import Registry
from streams.adapters.schema_files import SchemaFiles
from streams.domain.messages import Event
from streams.operations.lags import group_lags
from streams.operations.reading import whole
from streams.operations.schemas import register
from streams.operations.topics import create, needed
from streams.pipeline import outline
from streams.settings import Settings, load
from tests.support.services import Services
from tests.support.soak import MODEL, Sent


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
        with (self.folder / f"worker-{number}.{self.starts}.log").open("wb") as log:
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

    def wait_until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, f"never came true\n{self.logs()}"
            assert all(worker.poll() is None for worker in self.workers.values()), f"a worker died\n{self.logs()}"
            time.sleep(0.2)

    def said(self, number: int, what: str) -> int:
        """How often the worker has logged it since it was last started."""
        logs = self.folder.glob(f"worker-{number}.*.log")
        newest = max(logs, key=lambda log: int(log.suffixes[-2].removeprefix(".")))
        return newest.read_text().count(f'"event": "{what}"')

    def is_ready(self, number: int) -> bool:
        """Whether all agents of the worker read."""
        return self.said(number, "ready") >= len(outline(model=MODEL, collection=self.settings.index.collection))

    def wait_until_done(self, seconds: float) -> None:
        self.wait_until(self.is_done, seconds)

    def is_done(self) -> bool:
        """Whether every agent has committed everything."""
        return not any(lag != 0 for lag in self.lag().values())

    def written(self) -> int:
        """How many records the agents have published, their changelogs included."""
        agents = outline(model=MODEL, collection=self.settings.index.collection)
        topics = {self.catalogue.topic_name(message, agent.model) for agent in agents for message in agent.produces}
        changelogs = {self.catalogue.changelog(agent.name).name for agent in agents if agent.state}
        return sum(1 for topic in topics | changelogs for _ in whole(self.settings.kafka, topic))

    def logs(self) -> str:
        return "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in sorted(self.folder.glob("*.log")))


@contextmanager
def site(
    services: Services,
    prefix: str,
    folder: Path,
    index: str,
    retention: Mapping[str, str] | None = None,
    **worker: object,
) -> Iterator[Site]:
    settings_file = folder / "settings.yaml"
    settings_file.write_text(
        yaml.safe_dump(
            {
                "kafka": {"bootstrap": services.bootstrap, "prefix": prefix},
                "registry": {"url": services.registry_url},
                "store": {"url": (folder / "store").as_uri(), "read": [(folder / "frames").as_uri()]},
                "index": {"url": index},
                "embedding": {"model": MODEL},
                "retention": dict(retention or {}),
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


def feed(
    site: Site,
    sent: Sequence[Sent],
    *,
    seconds: float = 0,
    partitioner: str = "murmur2_random",
    stop: threading.Event | None = None,
) -> None:
    """Evenly over the time, so that kills come between; `stop` ends it early."""
    stop = stop or threading.Event()
    config: dict[str, Plain] = {**producer_config(site.settings.kafka), "partitioner": partitioner, "log_level": 0}
    producer, topic = Producer(config), site.catalogue.topic_name(Event)
    begin = time.monotonic()
    for number, record in enumerate(sent):
        producer.produce(topic, record.value, key=record.key, timestamp=record.time // 1000)
        producer.poll(0)
        ahead = begin + seconds * number / len(sent) - time.monotonic()
        if ahead > 0.05 and stop.wait(ahead):
            return
    assert producer.flush(60) == 0
