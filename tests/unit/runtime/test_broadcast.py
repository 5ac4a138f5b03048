"""Broadcast: every message is applied in the end, and one that nobody can read stops no view."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.structs import ConsumerRecord

from streams.domain.cameras import Camera
from streams.domain.errors import Outage
from streams.domain.messages import Message, Tombstone
from streams.runtime import broadcast as module
from streams.runtime.broadcast import Broadcast
from streams.settings import Kafka
from tests.support.schema_registry import registered

TOPIC = "nvr-cameras"
NOBODY = Kafka(bootstrap="127.0.0.1:1")


def record(key: bytes, value: bytes | None) -> ConsumerRecord:
    return ConsumerRecord(TOPIC, 0, 7, 1_764_000_000_000, 0, key, value, None, len(key), len(value or b""), ())


class Bench:
    def __init__(self) -> None:
        self.codec, self.registry = registered()
        self.applied: list[Message] = []
        self.broadcast = Broadcast(TOPIC, kafka=NOBODY, codec=self.codec, apply=self.applied.append)

    async def camera(self, name: str) -> bytes:
        value = await self.codec.encode(TOPIC, Camera(name=name))
        assert value
        return value


async def test_a_message_and_a_tombstone_are_applied() -> None:
    bench = Bench()
    await bench.broadcast._take(record(b"porch", await bench.camera("porch")))
    await bench.broadcast._take(record(b"porch", None))
    assert bench.applied == [Camera(name="porch"), Tombstone(of=Camera, name="porch", at=1_764_000_000_000_000)]


async def test_what_nobody_can_read_is_passed_over() -> None:
    bench = Bench()
    await bench.broadcast._take(record(b"porch", b"rubbish"))
    await bench.broadcast._take(record(b"porch", await bench.camera("drive")))
    await bench.broadcast._take(record(b"yard", await bench.camera("yard")))
    assert bench.applied == [Camera(name="yard")]


async def test_a_registry_that_is_down_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.01)
    value = await Bench().camera("porch")
    bench = Bench()
    bench.registry.down = True
    taking = asyncio.create_task(bench.broadcast._take(record(b"porch", value)))
    await asyncio.sleep(0.05)
    assert bench.applied == []
    bench.registry.down = False
    await asyncio.wait_for(taking, 5)
    assert bench.applied == [Camera(name="porch")]


async def test_without_a_broker_a_start_is_an_outage() -> None:
    with pytest.raises(Outage, match=r"kafka: 127\.0\.0\.1:1"):
        await Bench().broadcast.start()
