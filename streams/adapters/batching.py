"""Gathers concurrent calls into batches: callers speak of one item, the run sees as many as came together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True)
class _Call(Generic[In, Out]):
    item: In
    answer: asyncio.Future[Out]
    due: float


class Batcher(Generic[In, Out]):
    """Calls that come within `linger` seconds of the first, at most `limit` of them, become one call of `run`.

    `run` gets the items in the order of their calls and returns one answer per item; an answer that is an `Exception`
    is raised in its own caller alone. What `run` itself raises reaches every caller of that batch. One batch runs at a
    time; what comes meanwhile gathers. A cancelled caller leaves the others untouched.
    """

    def __init__(
        self,
        run: Callable[[list[In]], Awaitable[Sequence[Out | Exception]]],
        *,
        limit: int,
        linger: float,
    ) -> None:
        self._run, self._limit, self._linger = run, limit, linger
        self._waiting: deque[_Call[In, Out]] = deque()
        self._ripe = asyncio.Event()
        self._gatherer: asyncio.Task[None] | None = None
        self._closed = False

    async def __call__(self, item: In) -> Out:
        if self._closed:
            raise RuntimeError("this batcher is closed")
        loop = asyncio.get_running_loop()
        call: _Call[In, Out] = _Call(item, loop.create_future(), loop.time() + self._linger)
        self._waiting.append(call)
        if len(self._waiting) >= self._limit:
            self._ripe.set()
        if self._gatherer is None or self._gatherer.done():
            self._gatherer = loop.create_task(self._gather())
        return await call.answer

    async def close(self) -> None:
        """Take no more calls, answer those that wait, and return when all are answered."""
        self._closed = True
        self._ripe.set()
        if self._gatherer is not None:
            await self._gatherer

    async def _gather(self) -> None:
        while self._waiting:
            await self._ripen()
            if batch := self._take():
                await self._answer(batch)

    async def _ripen(self) -> None:
        """Wait until the batch is full, its first call is due, or no more can come."""
        remaining = self._waiting[0].due - asyncio.get_running_loop().time()
        if self._closed or remaining <= 0 or len(self._waiting) >= self._limit:
            return
        self._ripe.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(remaining):
                await self._ripe.wait()

    def _take(self) -> list[_Call[In, Out]]:
        size = min(self._limit, len(self._waiting))
        taken = [self._waiting.popleft() for _ in range(size)]
        return [call for call in taken if not call.answer.done()]

    async def _answer(self, batch: list[_Call[In, Out]]) -> None:
        # Run as a task of its own: whatever it raises is read from it and handed to the callers, none is swallowed.
        running = asyncio.ensure_future(self._run([call.item for call in batch]))
        await asyncio.wait({running})
        answers = _answers(running, len(batch))
        for call, answer in zip(batch, answers, strict=True):
            if call.answer.done():
                continue
            if isinstance(answer, BaseException):
                call.answer.set_exception(answer)
            else:
                call.answer.set_result(answer)


def _answers(running: asyncio.Future[Sequence[Out | Exception]], count: int) -> Sequence[Out | BaseException]:
    if running.cancelled():
        return [RuntimeError("the batch was cancelled")] * count
    if (error := running.exception()) is not None:
        return [error] * count
    answers = running.result()
    if len(answers) != count:
        return [RuntimeError(f"{count} items gave {len(answers)} answers")] * count
    return answers
