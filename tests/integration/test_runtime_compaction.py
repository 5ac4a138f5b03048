"""A replay of a topic from which the broker compacted every second record: no gap is taken for a loss."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from streams.adapters.catalogue import Topic
from streams.adapters.status import AgentStatus
from streams.domain.agent import Agent, Step
from streams.domain.messages import Message
from streams.domain.values import Instant
from tests.support.services import Services
from tests.support.toy_site import PATIENCE, ToySite, now, toy_site
from tests.support.toys import Ping, Pong

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

log = structlog.get_logger(__name__)

KEYS = 3000


def compacted_soon(topic: Topic) -> Topic:
    if topic.message is not Ping:
        return topic
    soon = {"segment.ms": "500", "min.cleanable.dirty.ratio": "0.01", "max.compaction.lag.ms": "500"}
    return replace(topic, cleanup="compact", retention=None, config=soon)


def reader(name: str, kind: type[Message], seen: list[str]) -> Agent[Any]:
    async def handle(state: None, message: Message, at: Instant) -> Step[Any]:
        del state, at
        seen.append(message.key)
        return Step(None)

    return Agent(name=name, consumes=(kind,), produces=(), state=(), handle=handle)


async def compaction(toys: ToySite) -> None:
    """Returns once of each key only the newest record is left."""
    until, rolls = time.monotonic() + PATIENCE, 0
    while len(left := await toys.read(toys.topic(Ping))) > KEYS + 2 * rolls:
        assert time.monotonic() < until, f"{len(left)} records are left"
        rolls += 1  # only a segment that something was written behind is compacted
        await toys.send([Ping(name=f"roll-{rolls}-{n}", at=now()) for n in range(2)])
    offsets = {(record.partition, record.offset) for record in left}
    assert sum((partition, offset - 1) not in offsets for partition, offset in offsets) >= KEYS


async def replay(toys: ToySite, agent: Agent[Any]) -> tuple[AgentStatus, float]:
    async with toys.running(agent) as worker:
        began = time.monotonic()
        await toys.caught_up(agent)
        return worker.runners[0].meter.status(), time.monotonic() - began


async def test_a_replay_of_a_compacted_topic_handles_every_record_and_never_rewinds(
    services: Services, prefix: str, tmp_path: Path
) -> None:
    seen_holes: list[str] = []
    seen_whole: list[str] = []
    holes, whole = reader("holes", Ping, seen_holes), reader("whole", Pong, seen_whole)
    async with toy_site(services, prefix, tmp_path, topics=compacted_soon) as toys:
        begin = now()
        await toys.send(Ping(name=f"k{n // 2}", at=begin, number=n % 2) for n in range(2 * KEYS))
        await toys.send(Pong(name=f"k{n}", at=begin) for n in range(KEYS))
        await compaction(toys)
        told, seconds = await replay(toys, holes)
        _, seconds_whole = await replay(toys, whole)
    log.info("replayed", records=KEYS, every_second_one_gone=seconds, none_gone=seconds_whole)
    assert told.rewinds == 0
    assert told.gap_offsets >= KEYS
    assert sorted(key for key in seen_holes if key.startswith("k")) == sorted(seen_whole)
