"""Faust's consumer made safe from outside: it never seeks under a running fetch loop, and knows what it fetched.

Faust seeks to the committed offsets after a rebalance while its fetch loop still hands out an older batch; the loop
then goes on behind the part that was cleared and drops what is fetched again. Here every seek first stops the flow and
waits until the loop is parked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import ClassVar

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError
from aiokafka.structs import ConsumerRecord
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message

log = structlog.get_logger(__name__)

PARK_SECONDS = 30.0
"""The fetch loop polls once a second; half a minute without a pause is a hang."""

HELD_BACK_SECONDS = 0.1
"""How long one fetch waits while a partition is held back, so that letting it go is noticed soon."""

FETCH_MS = 500
"""How long a broker may keep a fetch that finds nothing, as Java's clients do. Everything else that is asked of that
broker waits behind it, some questions in a row at each start and rebalance; Faust's own 1.5 s made those last 4 s."""

NO_GENERATION = -2


class ConsumerThread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer: AIOKafkaConsumer = super()._create_worker_consumer(transport)
        vars(consumer)["_fetch_max_wait_ms"] = FETCH_MS  # Faust has no setting for it
        return consumer


class SafeConsumer(driver.Consumer):
    """`ready_generation` is the generation whose partitions were sought and whose table is whole.

    Faust hands out messages before that; they are to be dropped, since they come again after the seek.
    """

    ready_generation: int = NO_GENERATION
    on_recovery: ClassVar[Callable[[Mapping[TP, int]], Awaitable[Mapping[TP, int]]]]
    on_ready: ClassVar[Callable[[SafeConsumer], None]]
    on_overtaken: ClassVar[Callable[[TP, int], None]]

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.start_offsets: dict[TP, int] = {}
        self._parked, self._seeking = asyncio.Event(), asyncio.Lock()
        self._parked.set()
        self._fetch_task: asyncio.Task[None] | None = None
        self._held_back: set[TP] = set()
        self._fetched: dict[TP, int] = {}
        self._predecessors: dict[TP, dict[int, int]] = {}

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # ---- what was fetched before what

    def predecessor(self, tp: TP, offset: int) -> int | None:
        """The offset that was fetched just before this one in the same partition; asked once per message.

        None: unknown, the partition was not fetched in one go. Only what is not simply `offset - 1` is remembered.
        """
        known = self._predecessors.get(tp)
        if known is None:
            return None
        return known.pop(offset, offset - 1)

    def _stamp(self, records: Mapping[TP, Iterable[ConsumerRecord]]) -> None:
        for tp, batch in records.items():
            known = self._predecessors.get(tp)
            if known is None:
                continue
            before = self._fetched[tp]
            for record in batch:
                if record.offset != before + 1:
                    known[record.offset] = before
                before = record.offset
            self._fetched[tp] = before

    # ---- back-pressure

    def hold_back(self, tp: TP) -> None:
        """Fetch no more of this partition for now.

        Faust's `pause_partitions` throws away what it has in hand of the partition; this leaves it alone.
        """
        self._held_back.add(tp)

    def let_go(self, tp: TP) -> None:
        self._held_back.discard(tp)

    def _fetch_from(self, offsets: Mapping[TP, int]) -> None:
        for tp, offset in offsets.items():
            self._fetched[tp], self._predecessors[tp] = offset - 1, {}

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[ConsumerRecord]]:  # noqa: ASYNC109
        if self._held_back and active_partitions:
            active_partitions, timeout = active_partitions - self._held_back, HELD_BACK_SECONDS
            if not active_partitions:
                await asyncio.sleep(HELD_BACK_SECONDS)
                return {}
        records: Mapping[TP, list[ConsumerRecord]] = await super()._getmany(active_partitions, timeout)
        self._stamp(records)
        return records

    # ---- the fetch loop stands still before a seek

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:  # noqa: ASYNC109
        self._fetch_task = asyncio.current_task()
        try:
            if not self.flow_active:
                self._parked.set()
                await self.wait(self.can_resume_flow.wait())
            self._parked.clear()
            async for item in super().getmany(timeout):
                yield item
        finally:
            self._parked.set()

    async def park(self) -> None:
        """Stop the flow, wait until the fetch loop holds nothing, empty the queues."""
        self.stop_flow()
        await asyncio.wait_for(self._parked.wait(), PARK_SECONDS)
        self.app.flow_control.clear()

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Recovery seeks changelogs with this, to where its own reading is to begin."""
        await self.park()
        changelogs = {TP(*tp): offset for tp, offset in partitions.items() if self._is_changelog_tp(tp)}
        ends = await type(self).on_recovery(changelogs) if changelogs else {}
        await super().seek_wait({**partitions, **ends})

    async def perform_seek(self) -> None:
        """To the committed offsets, or to the log's start where nothing was committed.

        aiokafka leaves the position alone where nothing was committed, or where the committed offset lies outside the
        log (retention overtook the lag, or the topic was made anew).
        """
        if asyncio.current_task() is self._fetch_task:
            return  # Faust threw records away; they are sought again by the seek that stopped the flow
        async with self._seeking:
            await self.park()
            generation = self.app.consumer_generation_id
            start = await self._starts()
            await super().seek_wait(start)
            self._position_at(start)
            self._committed_offset.update(start)
            self._held_back.clear()
            self.app.flow_control.clear()
            if generation == self.app.consumer_generation_id:
                self.start_offsets, self.ready_generation = start, generation
                type(self).on_ready(self)

    async def _starts(self) -> dict[TP, int]:
        committed: dict[TP, int | None] = {TP(*tp): offset for tp, offset in (await self.seek_to_committed()).items()}
        sources = [tp for tp in committed if not self._is_changelog_tp(tp)]
        first, last = await self.earliest_offsets(*sources), await self.highwaters(*sources)
        starts = {}
        for tp in sources:
            offset = committed[tp]
            if offset is not None and offset < first[tp]:
                type(self).on_overtaken(tp, first[tp] - offset)
            starts[tp] = first[tp] if offset is None or not first[tp] <= offset <= last[tp] else offset
        return starts

    async def rewind(self, offsets: dict[TP, int], generation: int) -> None:
        """Go back to these offsets with nothing of the old run left in hand.

        Not during a rebalance, which seeks everything by itself.
        """
        async with self._seeking:
            if self._is_stale(generation):
                return
            await self.park()
            try:
                await super().seek_wait(offsets)
            except IllegalStateError:  # revoked meanwhile
                return
            if self._is_stale(generation):
                return
            self._position_at(offsets)
            self.app.flow_control.resume()
            self.resume_flow()

    def _position_at(self, offsets: Mapping[TP, int]) -> None:
        self._read_offset.update({tp: offset or None for tp, offset in offsets.items()})
        self._fetch_from(offsets)

    def _is_stale(self, generation: int) -> bool:
        return self.app.rebalancing or not generation == self.ready_generation == self.app.consumer_generation_id


def consumer_class(
    *,
    on_recovery: Callable[[Mapping[TP, int]], Awaitable[Mapping[TP, int]]],
    on_ready: Callable[[SafeConsumer], None],
    on_overtaken: Callable[[TP, int], None],
) -> type[SafeConsumer]:
    """The consumer class of one app. Faust makes the instance itself, so what it calls back is bound to the class.

    `on_recovery` reads changelogs from the given offsets, and returns the offsets that are left for Faust to begin at.
    `on_ready` is called once per generation, with the table whole and before the first message; `on_overtaken` with
    the number of messages that retention deleted before they were read.
    """
    callbacks: dict[str, Callable[..., object]] = {
        "on_recovery": on_recovery,
        "on_ready": on_ready,
        "on_overtaken": on_overtaken,
    }
    body = {name: staticmethod(call) for name, call in callbacks.items()}
    return type("SafeConsumer", (SafeConsumer,), {"__module__": __name__, **body})
