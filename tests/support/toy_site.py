"""Workers of toys on the real broker, in the test's own process: what the runtime does, without a pipeline."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Producer

from streams.adapters.catalogue import RECORDS, Catalogue, Topic
from streams.adapters.codec import Codec
from streams.adapters.kafka import client_config
from streams.adapters.registry import Registry
from streams.adapters.schema_files import SchemaFiles
from streams.adapters.status import AgentState
from streams.adapters.telemetry import Telemetry
from streams.domain.agent import Agent
from streams.domain.cameras import Camera
from streams.domain.messages import Message, record_class
from streams.domain.values import Instant
from streams.files import shipped
from streams.operations.lags import group_lags
from streams.operations.reading import Record, whole
from streams.operations.schemas import register
from streams.operations.topics import create
from streams.runtime.broadcast import Broadcast
from streams.runtime.worker import Worker
from streams.settings import Settings
from tests.support.services import Services
from tests.support.toys import Ping, Pong

PARTITIONS: Final = 2
PATIENCE: Final = 30.0
"""Seconds for anything that a test waits for."""

Fields = list[dict[str, object]]
"""Of an Avro record."""

_TIME: Final = {"type": "long", "logicalType": "timestamp-micros"}
_BALL: Final[Fields] = [
    {"name": "name", "type": "string"},
    {"name": "at", "type": _TIME, "default": 0},
    {"name": "number", "type": "long", "default": 0},
    {"name": "note", "type": "string", "default": ""},
]
_COUNT: Final[Fields] = [
    {"name": "n", "type": "long"},
    {"name": "deadline", "type": ["null", _TIME], "default": None},
]


def now() -> Instant:
    """The clock in whole milliseconds, as Kafka keeps time."""
    return time.time_ns() // 1_000_000 * 1000


async def until(condition: Callable[[], object], *, seconds: float = PATIENCE) -> None:
    """Returns once the condition holds. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- what is waited for tells nobody
            await asyncio.sleep(0.05)


@dataclass(frozen=True, kw_only=True)
class ToySite:
    """An installation whose messages are toys; everything else is real."""

    settings: Settings
    catalogue: Catalogue
    codec: Codec

    def topic(self, kind: type[Message]) -> str:
        return self.catalogue.topic_name(kind)

    async def send(self, messages: Iterable[Message], *, partition: int = -1) -> None:
        """Publish at each message's own time; partition -1: where its key belongs."""
        messages = list(messages)
        topics = [self.topic(record_class(message)) for message in messages]
        values = [await self.codec.encode(topic, message) for topic, message in zip(topics, messages, strict=True)]
        records = [
            Record(
                topic=topic,
                partition=partition,
                offset=-1,
                time=message.time,
                key=message.key.encode(),
                value=value,
                headers=(),
            )
            for topic, message, value in zip(topics, messages, values, strict=True)
        ]
        await self.produce(records)

    async def produce(self, records: Sequence[Record]) -> None:
        """Publish records as they are."""
        producer = Producer({**client_config(self.settings.kafka), "partitioner": "murmur2_random"})
        for record in records:
            producer.produce(
                record.topic,
                record.value,
                key=record.key,
                partition=record.partition,
                timestamp=record.time // 1000,
                headers=list(record.headers),
            )
            producer.poll(0)
        assert await asyncio.to_thread(producer.flush, PATIENCE) == 0

    async def read(self, topic: str) -> list[Record]:
        return await asyncio.to_thread(lambda: list(whole(self.settings.kafka, topic)))

    async def pongs(self) -> list[Pong]:
        topic = self.topic(Pong)
        found = [await self.codec.decode(topic, r.key, r.value) for r in await self.read(topic)]
        return [message for message in found if isinstance(message, Pong)]

    async def caught_up(self, *agents: Agent[Any], seconds: float = PATIENCE) -> None:
        """Returns once the agents have committed everything."""
        groups = {self.catalogue.app_id(a.name): [self.topic(kind) for kind in a.consumes] for a in agents}
        async with asyncio.timeout(seconds):
            while any((await asyncio.to_thread(group_lags, self.settings.kafka, groups)).values()):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    @asynccontextmanager
    async def running(
        self, *agents: Agent[Any], name: str = "w0", broadcasts: Sequence[Broadcast] = (), **worker: object
    ) -> AsyncIterator[Worker]:
        """A worker that is ready; it is stopped at the end as by SIGTERM."""
        told = {**worker, "name": name, "data": self.settings.worker.data / name}
        settings = self.settings.model_copy(update={"worker": self.settings.worker.model_copy(update=told)})
        telemetry = Telemetry(name)
        made = Worker(
            settings, agents, broadcasts=broadcasts, codec=self.codec, catalogue=self.catalogue, telemetry=telemetry
        )
        life = asyncio.create_task(made.run())
        try:
            await until(lambda: life.done() or all(is_ready(made)))
            yield made
        finally:
            made.stop()
            await life


def is_ready(worker: Worker) -> list[bool]:
    """Of each agent, whether it reads."""
    return [runner.meter.status().state is AgentState.READY for runner in worker.runners]


@asynccontextmanager
async def toy_site(
    services: Services, prefix: str, folder: Path, *agents: Agent[Any], topics: Callable[[Topic], Topic] = lambda t: t
) -> AsyncIterator[ToySite]:
    """Toys' topics, schemas and the changelogs of these agents. `topics` may change what topics are made with."""
    settings = Settings.model_validate(
        {
            "kafka": {"bootstrap": services.bootstrap, "prefix": prefix, "partitions": PARTITIONS},
            "registry": {"url": services.registry_url},
            "worker": {"data": folder / "data", "session_timeout": "6s", "grace": "2s"},
        }
    )
    schemas = _schemas(folder / "schemas")
    catalogue = Catalogue(prefix, schemas / "topics", records=(*RECORDS, Ping, Pong))
    files = SchemaFiles(schemas)
    plain = [t for t in catalogue.topics() if t.message in {Ping, Pong, Camera} or t.name == catalogue.dead_letters]
    needed = [topics(t) for t in (*plain, *(catalogue.changelog(a.name) for a in agents if a.state))]
    with Registry(settings.registry) as registry:
        await asyncio.to_thread(create, settings.kafka, needed)
        await register(registry, needed, files)
        yield ToySite(settings=settings, catalogue=catalogue, codec=Codec(catalogue, registry, files))


def _schemas(folder: Path) -> Path:
    """The shipped schemas, and what somebody adds who brings a message and a state of their own."""
    shutil.copytree(shipped("schemas"), folder)
    for kind in (Ping, Pong):
        name = f"{kind.__name__.lower()}s"
        _freeze(folder / "frozen" / f"{name}-value", kind.__name__, "nvr.streams", _BALL)
        crops = (folder / "topics" / "crops.yaml").read_text()
        told = crops.replace("crops", name).replace("Crop", kind.__name__)
        (folder / "topics" / f"{name}.yaml").write_text(told)
    _freeze(folder / "frozen" / "state-Count", "Count", "nvr.streams.state", _COUNT)
    return folder


def _freeze(folder: Path, name: str, namespace: str, fields: Fields) -> None:
    folder.mkdir()
    schema = {"type": "record", "name": name, "namespace": namespace, "fields": fields}
    (folder / "v1.avsc").write_text(json.dumps(schema))
