"""The runtime on the real broker: what becomes of messages, whether they can be handled or not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
import structlog
from aiokafka.partitioner import murmur2

from streams.domain.agent import Agent, Step
from streams.domain.messages import Message
from streams.domain.values import Instant
from streams.operations.reading import Record
from streams.runtime.lanes import Lanes
from streams.runtime.work import Job
from tests.support.services import Services
from tests.support.toy_site import PARTITIONS, now, toy_site
from tests.support.toys import Count, Ping, Pong, counter

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

log = structlog.get_logger(__name__)

BEGIN = now()
RIGHT = (murmur2(b"k") & 0x7FFFFFFF) % PARTITIONS
HEADERS = (("traceparent", b"00-abc-def-01"), ("twice", b"1"), ("twice", b"2"), ("empty", b""))
BROKEN = Record(topic="", partition=-1, offset=-1, time=BEGIN, key=b"k\xff", value=b"\x01rubbish", headers=HEADERS)


def both(seen: list[Message]) -> Agent[Count]:
    """Reads two topics."""

    async def handle(state: Count | None, message: Message, at: Instant) -> Step[Count]:
        del at
        seen.append(message)
        return Step(state)

    return Agent(name="both", consumes=(Ping, Pong), produces=(), state=(Count,), handle=handle)


@dataclass(frozen=True, kw_only=True)
class Aftermath:
    """What one worker left of messages good and bad."""

    pings: str
    pongs: list[Record]
    answers: list[Pong]
    letters: list[Record]
    seen: list[Message]
    """What the agent of two topics was given."""
    buried: list[dict[str, int]]
    """Per agent, as the metrics tell."""

    def letter_of(self, agent: str, reason: str) -> Record:
        (letter,) = (r for r in self.letters if {("dlt.agent", agent), ("dlt.reason", reason)} <= set(texts(r).items()))
        return letter


def texts(record: Record) -> dict[str, str]:
    return {name: (value or b"").decode() for name, value in record.headers}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def aftermath(services: Services, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Aftermath]:
    seen: list[Message] = []
    count, folder = counter(), tmp_path_factory.mktemp("messages")
    agents = (count, both(seen))
    async with toy_site(services, f"t{uuid4().hex[:7]}", folder, *agents) as toys:
        pings = toys.topic(Ping)
        await toys.send(Ping(name=f"c{n % 10}", at=BEGIN + n * 1000) for n in range(50))
        await toys.send([Ping(name="k", at=BEGIN, number=1)], partition=(RIGHT + 1) % PARTITIONS)
        await toys.send([Ping(name="k", at=BEGIN, number=2)])
        await toys.produce([replace(BROKEN, topic=pings)])
        async with toys.running(*agents) as worker:
            await toys.caught_up(*agents)
            buried = [runner.meter.status().dead_letters for runner in worker.runners]
        letters = await toys.read(toys.catalogue.dead_letters)
        pongs, answers = await toys.read(toys.topic(Pong)), await toys.pongs()
    yield Aftermath(pings=pings, pongs=pongs, answers=answers, letters=letters, seen=seen, buried=buried)


def test_an_agent_and_a_message_that_the_runtime_never_heard_of_run(aftermath: Aftermath) -> None:
    for key in (f"c{n}" for n in range(10)):
        assert [pong.number for pong in aftermath.answers if pong.name == key] == [1, 2, 3, 4, 5]
    headers = texts(aftermath.pongs[0])
    assert headers["ce_type"] == "nvr.streams.Pong"
    assert headers["ce_source"] == "nvr-streams/home/counter"


def test_a_message_in_the_wrong_partition_is_buried_with_its_cure(aftermath: Aftermath) -> None:
    letter = aftermath.letter_of("both", "wrong partition")
    assert texts(letter)["dlt.partition"] == str((RIGHT + 1) % PARTITIONS)
    assert f"expected {RIGHT} of {PARTITIONS}" in texts(letter)["dlt.message"]
    assert "partitioner=murmur2_random" in texts(letter)["dlt.message"]


def test_the_next_message_of_its_key_is_handled(aftermath: Aftermath) -> None:
    assert [message.number for message in aftermath.seen if type(message) is Ping and message.name == "k"] == [2]


def test_an_agent_of_one_topic_takes_messages_wherever_they_lie(aftermath: Aftermath) -> None:
    assert sum(pong.name == "k" for pong in aftermath.answers) == 2
    assert aftermath.buried[0] == {"undecodable": 1}


def test_a_dead_letter_keeps_key_value_and_headers_and_says_everything_about_its_cause(aftermath: Aftermath) -> None:
    letter = aftermath.letter_of("counter", "undecodable")
    assert (letter.key, letter.value, letter.time) == (BROKEN.key, BROKEN.value, BEGIN)
    assert letter.headers[: len(HEADERS)] == HEADERS
    said = dict(list(texts(letter).items())[len(dict(HEADERS)) :])
    traceback, message = said.pop("dlt.traceback"), said.pop("dlt.message")
    assert int(said.pop("dlt.partition")) in range(PARTITIONS)
    assert int(said.pop("dlt.offset")) > 0
    assert said == {
        "dlt.topic": aftermath.pings,
        "dlt.timestamp": str(BEGIN),
        "dlt.agent": "counter",
        "dlt.reason": "undecodable",
        "dlt.attempt": "1",
    }
    assert message.startswith("undecodable: ")
    assert "Traceback" in traceback


async def plateau(lanes: Lanes[Job]) -> int:
    """How many messages are held once no more are taken for long enough to fetch several times."""
    held, since = -1, time.monotonic()
    async with asyncio.timeout(20):
        while time.monotonic() - since < 1.5 or not held:
            if lanes.held != held:
                held, since = lanes.held, time.monotonic()
            await asyncio.sleep(0.1)
    return held


async def test_a_slow_agent_with_a_backlog_holds_a_bounded_number_of_messages_and_loses_none(
    services: Services, prefix: str, tmp_path: Path
) -> None:
    gate, total = asyncio.Event(), 4_000

    async def handle(state: Count | None, message: Message, at: Instant) -> Step[Count]:
        del state
        await gate.wait()
        return Step(None, (Pong(name=message.key, at=at),))

    agent = counter(handle=handle)
    async with toy_site(services, prefix, tmp_path, agent) as toys:
        await toys.send(Ping(name=f"k{n % 100}", at=BEGIN) for n in range(total))
        async with toys.running(agent, in_flight=8) as worker:
            (runner,) = worker.runners
            held = await plateau(runner._lanes)
            log.info("held", messages=held, of=total)
            gate.set()
            await toys.caught_up(agent)
            assert runner.meter.status().rewinds == 0
        assert len(await toys.pongs()) == total
    assert held < total / 2
