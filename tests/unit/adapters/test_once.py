"""One fetch per key."""

from __future__ import annotations

import asyncio
import gc

import pytest
from cachetools import LRUCache

from streams.adapters.once import Once


class Oracle:
    """Answers when it is released."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may = asyncio.Event()
        self.fails = False

    async def __call__(self, key: str) -> str:
        self.asked.append(key)
        await self.may.wait()
        if self.fails:
            raise LookupError(key)
        return key.upper()


async def test_all_who_ask_at_once_share_one_fetch() -> None:
    oracle = Oracle()
    once = Once(oracle)
    waiting = [asyncio.ensure_future(once.get(key)) for key in "aabab"]
    await asyncio.sleep(0)
    oracle.may.set()
    assert await asyncio.gather(*waiting) == list("AABAB")
    assert oracle.asked == ["a", "b"]


async def test_what_came_is_kept() -> None:
    oracle = Oracle()
    oracle.may.set()
    once = Once(oracle)
    assert [await once.get("a"), await once.get("a")] == ["A", "A"]
    assert oracle.asked == ["a"]


async def test_a_cache_keeps_what_came_as_long_as_it_likes_and_what_it_takes() -> None:
    oracle = Oracle()
    oracle.may.set()
    once = Once(oracle, LRUCache(1, getsizeof=len))
    assert [await once.get(key) for key in ("a", "a", "b", "a", "long", "long")] == ["A", "A", "B", "A", "LONG", "LONG"]
    assert oracle.asked == ["a", "b", "a", "long", "long"]


async def test_what_is_forgotten_is_fetched_anew() -> None:
    oracle = Oracle()
    oracle.may.set()
    once = Once(oracle)
    for key in ("a", "b"):
        await once.get(key)
    once.forget(lambda key: key == "a")
    for key in ("a", "b"):
        await once.get(key)
    assert oracle.asked == ["a", "b", "a"]


async def test_a_failure_reaches_all_and_is_not_kept() -> None:
    oracle = Oracle()
    oracle.fails = True
    once = Once(oracle)
    waiting = [asyncio.ensure_future(once.get("a")) for _ in range(3)]
    await asyncio.sleep(0)
    oracle.may.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(answer) for answer in answers] == [LookupError] * 3
    oracle.fails = False
    assert await once.get("a") == "A"


async def test_the_fetch_goes_on_when_the_one_who_asked_first_gives_up() -> None:
    oracle = Oracle()
    once = Once(oracle)
    first, second = (asyncio.ensure_future(once.get("a")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    oracle.may.set()
    assert await second == "A"
    assert oracle.asked == ["a"]


async def test_a_failure_that_nobody_waits_for_is_silent(recwarn: pytest.WarningsRecorder) -> None:
    oracle = Oracle()
    oracle.fails = True
    once = Once(oracle)
    alone = asyncio.ensure_future(once.get("a"))
    await asyncio.sleep(0)
    alone.cancel()
    oracle.may.set()
    await asyncio.sleep(0.01)
    gc.collect()
    assert not recwarn
