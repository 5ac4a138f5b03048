"""What an agent is: one async function over one key's state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from streams.domain.messages import Message, record_class
from streams.domain.values import Instant

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Step(Generic[S]):
    """What handling one message amounts to."""

    state: S | None
    """What to remember for this key; None forgets it."""
    out: tuple[Message, ...] = ()
    """What to publish, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent(Generic[S]):
    """One step of the pipeline. The runtime hands it one message of one key at a time, in topic order.

    `handle` gets the key's state (None: nothing is remembered), the message, and the record's timestamp. It may
    await ports, and raises `Poison`, `Outage` or `Gone`; anything else is a bug. A state with an attribute
    `deadline` (µs, None: no deadline) is handed to `expire` once that time has come.
    """

    name: str
    consumes: tuple[type[Message], ...]
    produces: tuple[type[Message], ...]
    state: tuple[type[S], ...]
    """The phases of the state, one class each; empty: this agent remembers nothing."""
    handle: Callable[[S | None, Message, Instant], Awaitable[Step[S]]]
    expire: Callable[[S, Instant], Step[S]] | None = None
    model: str | None = None
    """The embedding model whose documents this agent writes or reads."""


class Undeclared(TypeError):
    """An agent published what it does not declare in `produces`: a bug of its author."""


def declared(agent: Agent[S], message: Message) -> type[Message]:
    """The record class of a message that the agent publishes. Raises `Undeclared`."""
    record = record_class(message)
    if record not in agent.produces:
        raise Undeclared(f"agent {agent.name} published {record.__name__}, which it does not declare in `produces`")
    return record
