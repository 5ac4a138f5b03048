"""One message through one agent: decode, handle, encode. The only place where everything is caught."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import structlog
from aiokafka.partitioner import murmur2

from streams.adapters.catalogue import Catalogue
from streams.adapters.codec import Codec
from streams.adapters.headers import cloud_event, passed_on
from streams.adapters.state_codec import StateCodec
from streams.adapters.telemetry import AgentMeter
from streams.domain.agent import Agent, Step, declared
from streams.domain.errors import Outage, Poison
from streams.domain.messages import Message
from streams.domain.values import Instant
from streams.runtime.broker import MAX_RECORD_BYTES
from streams.runtime.records import Incoming, Outgoing, dead_letter

log = structlog.get_logger(__name__)

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Turn(Generic[S]):
    """What one message did: the state after it, also as bytes, and the records to publish."""

    state: S | None
    encoded: bytes | None
    out: tuple[Outgoing, ...]
    buried: bool = False


class Handler(Generic[S]):
    def __init__(
        self,
        agent: Agent[S],
        *,
        codec: Codec,
        catalogue: Catalogue,
        partitions: int,
        site: str,
        meter: AgentMeter,
    ) -> None:
        self._agent, self._codec, self._catalogue, self._meter = agent, codec, catalogue, meter
        self._states = StateCodec(agent.state, codec.files)
        self._partitions, self._source = partitions, f"nvr-streams/{site}/{agent.name}"

    def load(self, encoded: bytes | None) -> S | None:
        """Raises `Poison` for a state that no release known here wrote."""
        return None if encoded is None else cast("S", self._states.loads(encoded))

    async def arrive(self, state: S | None, encoded: bytes | None, record: Incoming) -> Turn[S]:
        """Handle one record. Raises `Outage`; whatever else goes wrong makes the record a dead letter."""

        async def step() -> Step[S]:
            with self._meter.phase("decode"):
                message = await self._decode(record)
            with self._meter.phase("handle"):
                return await self._agent.handle(state, message, record.time)

        return await self._guarded(step, state, encoded, record)

    async def expire(self, state: S, encoded: bytes, now: Instant, origin: Incoming) -> Turn[S]:
        """Let the state's deadline pass. `origin` is the state's own record, buried when that is a bug."""
        expire = self._agent.expire
        if expire is None:
            return Turn(state, encoded, ())

        async def step() -> Step[S]:
            self._meter.deadline_fired()
            return expire(state, now)

        return await self._guarded(step, state, encoded, origin)

    async def _guarded(
        self, step: Callable[[], Awaitable[Step[S]]], state: S | None, encoded: bytes | None, record: Incoming
    ) -> Turn[S]:
        try:
            done = await step()
            after = None if done.state is None else self._states.dumps(done.state)
            out = [await self._encode(message, record) for message in done.out]
            return Turn(done.state, after, tuple(out))
        except Outage:
            raise
        except Poison as poison:
            letter = self.bury(record, poison.reason, poison)
        except Exception as bug:  # noqa: BLE001 -- the one guard: a bug costs its message, never the partition
            letter = self.bury(record, "bug", bug)
        return Turn(state, encoded, (letter,), buried=True)

    async def _decode(self, record: Incoming) -> Message:
        if record.key is None:
            raise Poison("missing key", f"a record of {record.topic} needs a key")
        if len(self._agent.consumes) > 1:
            self._check_partition(record.key, record)
        return await self._codec.decode(record.topic, record.key, record.value, at=record.time)

    def _check_partition(self, key: bytes, record: Incoming) -> None:
        """An agent that reads several topics needs a key's messages in the same partition of each."""
        right = (murmur2(key) & 0x7FFFFFFF) % self._partitions
        if right != record.partition:
            raise Poison(
                "wrong partition",
                f"partition {record.partition}, expected {right} of {self._partitions}: set the producer's partitioner "
                "to murmur2 (`partitioner=murmur2_random` in librdkafka clients)",
            )

    async def _encode(self, message: Message, record: Incoming) -> Outgoing:
        topic = self._catalogue.topic_name(declared(self._agent, message), self._agent.model)
        body = await self._codec.encode(topic, message)
        if body and len(body) > MAX_RECORD_BYTES:
            raise Poison("record too large", f"{len(body)} bytes for {topic}, at most {MAX_RECORD_BYTES}")
        headers = (*cloud_event(message, topic=topic, source=self._source, body=body), *passed_on(record.headers))
        return Outgoing(topic, message.key.encode(), body, headers, record.time)

    def bury(self, record: Incoming, reason: str, error: Exception) -> Outgoing:
        self._meter.failed(reason)
        self._meter.dead_letter(reason)
        where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        log.warning("dead letter", agent=self._agent.name, reason=reason, error=str(error)[:200], **where)
        topic = self._catalogue.dead_letters
        return dead_letter(record, topic=topic, agent=self._agent.name, reason=reason, error=error)
