"""One fetch per key, however many ask at the same time; what came is kept, for ever or as a cache keeps things."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, MutableMapping
from contextlib import suppress
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Once(Generic[K, V]):
    """Answers by `fetch`, asked once per key. A failure reaches all who wait for it, and is not kept."""

    def __init__(self, fetch: Callable[[K], Awaitable[V]], known: MutableMapping[K, V] | None = None) -> None:
        """`known` keeps what came (default: for ever); one that takes no more raises `ValueError`, as cachetools do."""
        self._fetch = fetch
        self._known: MutableMapping[K, V] = {} if known is None else known
        self._asked: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K) -> V:
        """What `fetch` said about `key`. Raises what `fetch` raises."""
        with suppress(KeyError):
            return self._known[key]
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.ensure_future(self._ask(key))
            task.add_done_callback(_seen)
        # One who gives up waiting does not take the answer from the others.
        return await asyncio.shield(task)

    def forget(self, which: Callable[[K], bool]) -> None:
        """Drop what is kept under these keys."""
        for key in [key for key in self._known if which(key)]:
            self._known.pop(key, None)

    async def _ask(self, key: K) -> V:
        try:
            answer = await self._fetch(key)
            with suppress(ValueError):
                self._known[key] = answer
            return answer
        finally:
            del self._asked[key]


def _seen(task: asyncio.Task[V]) -> None:
    """Look at a failure, in case nobody waits for it any more."""
    if not task.cancelled():
        task.exception()
