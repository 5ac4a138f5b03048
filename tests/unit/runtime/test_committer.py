"""The committer: outputs, then changelog, then store; as often as it takes, and never for an older generation."""

from __future__ import annotations

import asyncio
from typing import Self

import pytest

from streams.adapters.telemetry import Telemetry
from streams.runtime import committer as module
from streams.runtime.committer import Commit, Committer
from streams.runtime.records import Outgoing
from tests.support.memory_broker import MemoryBroker

CHANGELOG = "nvr-track-state-changelog"


class Bench:
    def __init__(self, broker: MemoryBroker | None = None) -> None:
        self.broker, self.telemetry = broker or MemoryBroker(), Telemetry("test")
        self.stored: list[tuple[bytes, int]] = []
        self.fatal: list[BaseException] = []
        self.committer = Committer(
            self.broker,  # type: ignore[arg-type]  # the twin
            changelog=CHANGELOG,
            written=lambda commit, offset: self.stored.append((commit.key, offset)),
            fatal=self.fatal.append,
            meter=self.telemetry.agent("track"),
        )

    async def __aenter__(self) -> Self:
        self.committer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.committer.stop()


def commit(key: bytes, *, out: int = 1, record: bytes | None = b"state", write: bool = True) -> Commit:
    outgoing = [Outgoing("nvr-sightings", key, b"x", (), 7) for _ in range(out)]
    return Commit(key, 3, outgoing, write, record, 7)


async def until(condition: object) -> None:
    async with asyncio.timeout(5):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110 -- what is waited for tells nobody
            await asyncio.sleep(0.001)


async def test_outputs_are_acknowledged_before_the_changelog_is_written_and_that_before_the_store() -> None:
    async with Bench() as bench:
        bench.broker.answering.clear()
        waiting = asyncio.create_task(bench.committer.commit(commit(b"k", out=2)))
        await until(lambda: len(bench.broker.sent) == 2)
        await asyncio.sleep(0.01)
        assert bench.broker.topics() == ["nvr-sightings"] * 2
        bench.broker.answering.set()
        await waiting
        assert bench.broker.topics()[2:] == [CHANGELOG]
        assert bench.stored == [(b"k", 2)]


async def test_what_comes_meanwhile_becomes_durable_together() -> None:
    async with Bench() as bench:
        bench.broker.answering.clear()
        first = asyncio.create_task(bench.committer.commit(commit(b"first")))
        await until(lambda: bench.broker.sent)
        rest = [asyncio.create_task(bench.committer.commit(commit(f"{n}".encode()))) for n in range(3)]
        await asyncio.sleep(0)
        bench.broker.answering.set()
        await asyncio.gather(first, *rest)
        assert bench.broker.topics()[2:] == ["nvr-sightings"] * 3 + [CHANGELOG] * 3
        assert [offset for _, offset in bench.stored] == [1, 5, 6, 7]


async def test_a_deletion_is_a_tombstone_in_the_partition_of_its_key() -> None:
    async with Bench() as bench:
        await bench.committer.commit(commit(b"k", out=0, record=None))
        ((record, partition),) = bench.broker.sent
        assert (record.key, record.value, partition) == (b"k", None, 3)


async def test_what_leaves_no_state_writes_no_changelog() -> None:
    async with Bench() as bench:
        await bench.committer.commit(commit(b"k", write=False))
        assert bench.broker.topics() == ["nvr-sightings"]
        assert bench.stored == []


async def test_a_broker_that_does_not_answer_is_waited_for_and_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_WAIT", 0.02)
    async with Bench(MemoryBroker(failures=2)) as bench:
        done = asyncio.create_task(bench.committer.commit(commit(b"k")))
        await until(lambda: bench.committer.waiting)
        (waiting,) = bench.telemetry.status().agents[0].waiting
        assert waiting.what == "broker"
        await done
        assert not bench.committer.waiting
        assert bench.telemetry.status().agents[0].failed == {"broker": 2}
        assert bench.stored


async def test_nothing_of_an_older_generation_is_written() -> None:
    async with Bench() as bench:
        bench.broker.answering.clear()
        old = asyncio.create_task(bench.committer.commit(commit(b"old")))
        await until(lambda: bench.broker.sent)
        queued = asyncio.create_task(bench.committer.commit(commit(b"queued")))
        await asyncio.sleep(0)
        await bench.committer.stop()
        bench.committer.start()
        bench.broker.answering.set()
        await bench.committer.commit(commit(b"new"))
        assert [key for key, _ in bench.stored] == [b"new"]
        assert CHANGELOG not in bench.broker.topics()[:1]
        assert b"queued" not in {record.key for record, _ in bench.broker.sent}
        for task in (old, queued):
            task.cancel()


async def test_a_lane_that_was_cut_off_publishes_nothing() -> None:
    async with Bench() as bench:
        cut = asyncio.create_task(bench.committer.commit(commit(b"cut")))
        await asyncio.sleep(0)
        cut.cancel()
        await bench.committer.commit(commit(b"k"))
        assert {record.key for record, _ in bench.broker.sent} == {b"k"}


async def test_what_nobody_foresaw_is_fatal_rather_than_silent() -> None:
    class Broken(MemoryBroker):
        async def send(self, record: Outgoing, partition: int | None = None) -> None:  # type: ignore[override]
            raise ZeroDivisionError(record.topic, partition)

    async with Bench(Broken()) as bench:
        waiting = asyncio.create_task(bench.committer.commit(commit(b"k")))
        await until(lambda: bench.fatal)
        assert isinstance(bench.fatal[0], ZeroDivisionError)
        waiting.cancel()
