"""Runs agents in one process without Kafka: the same states, deadlines, dead letters and retries, in milliseconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from streams.adapters.state_codec import StateCodec
from streams.domain.agent import Agent, Step, declared
from streams.domain.errors import Outage, Poison
from streams.domain.messages import Message, record_class
from streams.domain.topology import order
from streams.domain.values import Instant

PATIENCE: Final = 10
"""How often a message that meets an outage is tried before the outage is raised."""


class States(Protocol):
    """How states become bytes and come back."""

    def dumps(self, state: object) -> bytes: ...

    def loads(self, data: bytes) -> object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    agent: str
    message: Message
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class _Parcel:
    message: Message
    at: Instant
    model: str | None = None
    """The embedding model whose topic the message lies on."""


class Loopback:
    """A topic of each kind, a table per agent, and a clock that only moves when it is told to.

    Every state passes through its schema, so that what a schema lacks is lost here too. An agent that publishes what
    it does not declare, or raises anything but `Poison` and `Outage`, fails the caller.
    """

    def __init__(
        self,
        agents: Iterable[Agent[Any]],
        *,
        states: Callable[[tuple[type, ...]], States] = StateCodec,
        deliveries: int = 1,
    ) -> None:
        """`deliveries`: how often each message is handed to each agent, as after a crash.

        Raises `WrongTopology` when the agents make no sound graph.
        """
        self._agents = {agent.name: agent for agent in agents}
        order(self._agents.values())
        self._states = {agent.name: states(agent.state) for agent in self._agents.values() if agent.state}
        self._tables: dict[str, dict[str, bytes]] = {name: {} for name in self._agents}
        self._deadlines: dict[tuple[str, str], Instant] = {}
        self._deliveries = deliveries
        self._queue: deque[_Parcel] = deque()
        self.now: Instant = 0
        self.published: list[Message] = []
        """Everything that agents published, in order."""
        self.dead_letters: list[DeadLetter] = []

    async def send(self, message: Message, at: Instant | None = None) -> None:
        """Publish from outside, and return once nothing is left to do. `at`: the record's time, default `message.time`."""
        at = message.time if at is None else at
        self.now = max(self.now, at)
        self._queue.append(_Parcel(message, at))
        await self._drain()

    async def advance(self, to: Instant) -> None:
        """Move the clock; every deadline up to `to` fires at its own time, earliest first."""
        while due := min(((when, where) for where, when in self._deadlines.items() if when <= to), default=None):
            when, (name, key) = due
            self.now = max(self.now, when)
            self._expire(self._agents[name], key)
            await self._drain()
        self.now = max(self.now, to)

    def state(self, agent: str, key: str) -> object | None:
        """What an agent remembers of a key."""
        stored = self._tables[agent].get(key)
        return None if stored is None else self._states[agent].loads(stored)

    def table(self, agent: str) -> dict[str, object]:
        """All that an agent remembers, by key."""
        return {key: self._states[agent].loads(stored) for key, stored in self._tables[agent].items()}

    async def _drain(self) -> None:
        while self._queue:
            parcel = self._queue.popleft()
            for agent in self._agents.values():
                if record_class(parcel.message) in agent.consumes and parcel.model in {None, agent.model}:
                    for _ in range(self._deliveries):
                        await self._deliver(agent, parcel)

    async def _deliver(self, agent: Agent[Any], parcel: _Parcel) -> None:
        message = parcel.message
        try:
            step = await _patiently(agent, self.state(agent.name, message.key), parcel)
            self._apply(agent, message.key, step, parcel.at)
        except Poison as poison:
            letter = DeadLetter(agent=agent.name, message=message, reason=poison.reason, detail=poison.detail)
            self.dead_letters.append(letter)

    def _expire(self, agent: Agent[Any], key: str) -> None:
        if agent.expire is None:
            raise TypeError(f"agent {agent.name} has a state with a deadline, but no `expire`")
        self._apply(agent, key, agent.expire(self.state(agent.name, key), self.now), self.now)

    def _apply(self, agent: Agent[Any], key: str, step: Step[Any], at: Instant) -> None:
        for message in step.out:
            declared(agent, message)
        self._remember(agent.name, key, step.state)
        for message in step.out:
            self.published.append(message)
            self._queue.append(_Parcel(message, at, agent.model))

    def _remember(self, agent: str, key: str, state: object | None) -> None:
        if state is None:
            self._tables[agent].pop(key, None)
        else:
            self._tables[agent][key] = self._states[agent].dumps(state)
        self._deadlines.pop((agent, key), None)
        if (deadline := getattr(state, "deadline", None)) is not None:
            self._deadlines[agent, key] = deadline


async def _patiently(agent: Agent[Any], state: object | None, parcel: _Parcel) -> Step[Any]:
    for _ in range(PATIENCE - 1):
        try:
            return await agent.handle(state, parcel.message, parcel.at)
        except Outage:
            continue
    return await agent.handle(state, parcel.message, parcel.at)
