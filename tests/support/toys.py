"""Agents and messages that exist for tests only: what the runtime carries without having been made for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from streams.domain.agent import Agent, Step
from streams.domain.messages import Message
from streams.domain.values import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping(Message):
    name: str
    at: Instant = 0
    number: int = 0
    note: str = ""

    @property
    def key(self) -> str:
        return self.name

    @property
    def time(self) -> Instant:
        return self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong(Ping):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many messages of a key came."""

    n: int
    deadline: Instant | None = None


class Verbatim:
    """A state codec for toys, which have no schemas."""

    def __init__(self, classes: tuple[type, ...]) -> None:
        self._classes = {each.__name__: each for each in classes}

    def dumps(self, state: object) -> bytes:
        if not isinstance(state, Count):
            raise TypeError(f"{state!r} is no toy")
        return f"{state.n} {'' if state.deadline is None else state.deadline}".encode()

    def loads(self, data: bytes) -> object:
        n, deadline = data.decode().split(" ")
        return Count(n=int(n), deadline=int(deadline) if deadline else None)


def counter(**parts: Any) -> Agent[Count]:
    """Counts the pings of a key and answers each with a pong that carries the count."""

    async def handle(state: Count | None, message: Message, at: Instant) -> Step[Count]:
        n = state.n + 1 if state else 1
        return Step(Count(n=n), (Pong(name=message.key, at=at, number=n),))

    told = Agent(name="counter", consumes=(Ping,), produces=(Pong,), state=(Count,), handle=handle)
    return replace(told, **parts)
