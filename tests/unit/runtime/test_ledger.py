"""The ledger commits the contiguous finished prefix, and tells a hole in the log from a message that was dropped."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.adapters.telemetry import Telemetry
from streams.runtime.ledger import Ledger, Slot

EVENTS = TP("nvr-events", 0)


class Log:
    """A consumer that fetched what a test says, and remembers what it was asked to do."""

    def __init__(self, start: int = 0) -> None:
        self.start_offsets = {EVENTS: start}
        self.before: dict[int, int | None] = {}
        self.rewinds: list[dict[TP, int]] = []
        self.commits: list[dict[TP, int]] = []
        self.meter = Telemetry("test").agent("track")

    def predecessor(self, tp: TP, offset: int) -> int | None:
        assert tp == EVENTS
        return self.before.get(offset, offset - 1)

    async def rewind(self, offsets: dict[TP, int], generation: int) -> None:
        assert generation == 1
        self.rewinds.append(offsets)

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        self.commits.append(dict(offsets))
        return True


def ledger_over(log: Log) -> Ledger:
    return Ledger(lambda: log, log.commit, log.meter)


async def take(ledger: Ledger, *offsets: int) -> list[Slot | None]:
    return [await ledger.take(EVENTS, offset, generation=1, time=offset) for offset in offsets]


async def test_only_the_contiguous_finished_prefix_is_committed() -> None:
    log = Log()
    ledger = ledger_over(log)
    first, second, third = await take(ledger, 0, 1, 2)
    third.finish()
    await ledger.commit()
    assert log.commits == []
    first.finish()
    await ledger.commit()
    second.finish()
    await ledger.commit()
    assert log.commits == [{EVENTS: 1}, {EVENTS: 3}]


async def test_nothing_is_committed_twice() -> None:
    log = Log()
    ledger = ledger_over(log)
    (only,) = await take(ledger, 0)
    only.finish()
    await ledger.commit()
    await ledger.commit()
    assert log.commits == [{EVENTS: 1}]


async def test_a_hole_whose_predecessor_was_seen_costs_nothing() -> None:
    log = Log()
    log.before = {7: 0}
    ledger = ledger_over(log)
    first, after = await take(ledger, 0, 7)
    assert log.rewinds == []
    assert log.meter.status().gap_offsets == 6
    first.finish()
    after.finish()
    await ledger.commit()
    assert log.commits == [{EVENTS: 8}]


async def test_every_second_record_compacted_away_never_rewinds() -> None:
    log = Log()
    log.before = {offset: offset - 2 for offset in range(2, 2000, 2)}
    ledger = ledger_over(log)
    slots = await take(ledger, *range(0, 2000, 2))
    assert all(slots)
    assert log.meter.status().rewinds == 0


async def test_a_dropped_message_rewinds_to_what_is_expected() -> None:
    log = Log(start=10)
    log.before = {13: 12}
    ledger = ledger_over(log)
    await take(ledger, 10)
    assert await take(ledger, 13) == [None]
    assert log.rewinds == [{EVENTS: 11}]
    assert log.meter.status().rewinds == 1


async def test_an_unknown_predecessor_is_not_believed() -> None:
    log = Log()
    log.before = {3: None}
    ledger = ledger_over(log)
    assert await take(ledger, 3) == [None]
    assert log.rewinds == [{EVENTS: 0}]


async def test_a_first_message_behind_the_start_is_a_hole() -> None:
    log = Log(start=5)
    log.before = {9: 4}
    ledger = ledger_over(log)
    (slot,) = await take(ledger, 9)
    assert slot is not None


async def test_what_was_seen_before_is_not_handled_again() -> None:
    log = Log(start=4)
    ledger = ledger_over(log)
    assert await take(ledger, 2) == [None]
    await take(ledger, 4)
    assert await take(ledger, 4) == [None]


async def test_a_new_generation_starts_from_what_was_sought() -> None:
    log = Log()
    ledger = ledger_over(log)
    await take(ledger, 0, 1)
    log.start_offsets = {EVENTS: 1}
    again = await ledger.take(EVENTS, 1, generation=2, time=0)
    assert again is not None


async def test_an_offset_counts_as_committed_only_once_it_cannot_come_again() -> None:
    log = Log(start=3)
    ledger = ledger_over(log)
    assert ledger.is_committed(EVENTS, 2)
    assert not ledger.is_committed(EVENTS, 3)
    (slot,) = await take(ledger, 3)
    slot.finish()
    assert not ledger.is_committed(EVENTS, 3)
    await ledger.commit()
    assert ledger.is_committed(EVENTS, 3)


@pytest.mark.parametrize("answer", [True, False])
async def test_a_refused_commit_is_tried_again(*, answer: bool) -> None:
    log = Log()
    tries = []

    async def commit(offsets: Mapping[TP, int]) -> bool:
        tries.append(dict(offsets))
        return answer

    ledger = Ledger(lambda: log, commit, log.meter)
    (slot,) = await take(ledger, 0)
    slot.finish()
    await ledger.commit()
    await ledger.commit()
    assert len(tries) == (1 if answer else 2)


@given(st.permutations(range(8)))
async def test_in_any_order_of_finishing_nothing_unfinished_is_committed(order: list[int]) -> None:
    log = Log()
    ledger = ledger_over(log)
    slots = await take(ledger, *range(8))
    finished: set[int] = set()
    for number in order:
        slots[number].finish()
        finished.add(number)
        await ledger.commit()
        committed = log.commits[-1][EVENTS] if log.commits else 0
        assert committed == next((n for n in range(8) if n not in finished), 8)
