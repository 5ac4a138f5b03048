"""Deadlines on the real broker: they fire in time, also after a restart, and never while updates are unread."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streams.domain.agent import Agent, Step
from streams.domain.messages import Message
from streams.domain.values import SECOND, Instant
from streams.runtime.runner import AgentRunner
from tests.support.services import Services
from tests.support.toy_site import now, toy_site, until
from tests.support.toys import Count, Ping, Pong, counter

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def mortal(name: str, *, life: Instant, slow: float = 0) -> Agent[Count]:
    """A key lives so long after its last ping; its end is a pong named by its deadline."""

    async def handle(state: Count | None, message: Message, at: Instant) -> Step[Count]:
        del message
        await asyncio.sleep(slow)
        return Step(Count(n=state.n + 1 if state else 1, deadline=at + life))

    def expire(state: Count, now: Instant) -> Step[Count]:
        assert state.deadline is not None
        return Step(None, (Pong(name=f"{state.deadline}", at=now, number=now - state.deadline),))

    return counter(name=name, handle=handle, expire=expire)


async def test_a_deadline_fires_once_its_time_has_come_also_after_a_restart(
    services: Services, prefix: str, tmp_path: Path
) -> None:
    agent = mortal("mortal", life=2 * SECOND)
    async with toy_site(services, prefix, tmp_path, agent) as toys:
        before = [Ping(name=f"before-{n}", at=now() + n * 1000) for n in range(20)]
        await toys.send(before)
        async with toys.running(replace(agent, expire=None)):  # deadlines are remembered, and nothing happens
            await toys.caught_up(agent)
        async with toys.running(agent) as worker:
            (runner,) = worker.runners
            await until(lambda: runner.meter.status().deadlines == 20)
            after = [Ping(name=f"after-{n}", at=now() + n * 1000) for n in range(20)]
            await toys.send(after)
            await until(lambda: runner.meter.status().deadlines == 40)
            await until(lambda: not keys_of(runner))  # forgotten as soon as no replay can bring them back
        ends = await toys.pongs()
        newest = {r.key: r.value for r in await toys.read(toys.catalogue.changelog(agent.name).name)}
    assert sorted(end.name for end in ends) == sorted(f"{ping.at + 2 * SECOND}" for ping in (*before, *after))
    assert all(end.number >= 0 for end in ends), "microseconds between the deadline and its end"
    assert set(newest.values()) == {None}


async def test_no_key_expires_while_its_updates_are_unread(services: Services, prefix: str, tmp_path: Path) -> None:
    """Messages of ten minutes, ten seconds apart; a key lives one. The clock alone would end it before its next."""
    guarded, control = (mortal(name, life=60 * SECOND, slow=0.005) for name in ("guarded", "control"))
    async with toy_site(services, prefix, tmp_path, guarded, control) as toys:
        begin = now() - 600 * SECOND
        await toys.send(Ping(name=f"k{n % 20}", at=begin + n // 20 * 10 * SECOND) for n in range(20 * 61))
        async with toys.running(guarded, control, in_flight=2) as worker:
            safe, unsafe = worker.runners
            unsafe._time_of = lambda _, clock: clock
            await toys.caught_up(guarded, control)
            assert safe.meter.status().deadlines == 0
            assert unsafe.meter.status().deadlines > 0


def keys_of(runner: AgentRunner[Any]) -> list[bytes]:
    store = runner._states._store()
    return [key for partition in store.partitions() for key, _ in store.items_of(partition)]
