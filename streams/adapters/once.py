"""One fetch per key, however many ask at the same time; what came is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Once(Generic[K, V]):
    """Answers by `fetch`, asked once per key. A failure reaches all who wait for it, and is not kept."""

    def __init__(self, fetch: Callable[[K], Awaitable[V]]) -> None:
        self._fetch = fetch
        self._known: dict[K, V] = {}
        self._asked: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K) -> V:
        """What `fetch` said about `key`. Raises what `fetch` raises."""
        if key in self._known:
            return self._known[key]
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.ensure_future(self._ask(key))
            task.add_done_callback(_seen)
        # One who gives up waiting does not take the answer from the others.
        return await asyncio.shield(task)

    async def _ask(self, key: K) -> V:
        try:
            self._known[key] = await self._fetch(key)
            return self._known[key]
        finally:
            del self._asked[key]


def _seen(task: asyncio.Task[V]) -> None:
    """Look at a failure, in case nobody waits for it any more."""
    if not task.cancelled():
        task.exception()
