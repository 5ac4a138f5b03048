"""The graph that agents make by what they consume and produce: its edges, its order, its faults, its picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from streams.domain.agent import Agent
from streams.domain.cameras import Camera
from streams.domain.messages import Detections, Event, Message, Recordings

OUTSIDE: Final = "outside"
"""Whoever is no agent: camera systems, operators, and the public."""

FROM_OUTSIDE: Final[tuple[type[Message], ...]] = (Event, Detections, Recordings, Camera)
"""What others write."""


@dataclass(frozen=True, slots=True)
class Edge:
    """`message` goes from `writer` to `reader`."""

    writer: str
    message: type[Message]
    reader: str


class WrongTopology(ValueError):
    """The agents do not make a graph in which data moves one way."""


def edges(agents: Iterable[Agent[Any]]) -> tuple[Edge, ...]:
    """Who passes what to whom; what no agent reads goes outside."""
    agents = tuple(agents)
    told = [
        Edge(OUTSIDE, message, agent.name) for agent in agents for message in agent.consumes if message in FROM_OUTSIDE
    ]
    for writer in agents:
        for message in writer.produces:
            readers = [reader.name for reader in agents if message in reader.consumes and _same_chain(writer, reader)]
            told += [Edge(writer.name, message, reader) for reader in readers or (OUTSIDE,)]
    return tuple(dict.fromkeys(told))


def order(agents: Iterable[Agent[Any]]) -> tuple[str, ...]:
    """The agents' names in the order in which data meets them.

    Raises `WrongTopology` when two agents share a name, when nobody writes what an agent consumes, or when data moves
    in a circle.
    """
    agents = tuple(agents)
    flow = edges(agents)
    _check_names(agents)
    _check_writers(agents, flow)
    graph: dict[str, set[str]] = {agent.name: set() for agent in agents}
    for edge in flow:
        if OUTSIDE not in {edge.writer, edge.reader}:
            graph[edge.reader].add(edge.writer)
    try:
        return tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise WrongTopology(f"data moves in a circle: {' -> '.join(error.args[1])}") from error


def mermaid(agents: Iterable[Agent[Any]], topic: Callable[[type[Message]], str]) -> str:
    """The graph as Mermaid text; `topic` names the topic of a message."""
    agents = tuple(agents)
    lines = ["flowchart LR", f"    {OUTSIDE}([{OUTSIDE}])"]
    lines += [f"    {agent.name}[{agent.name}]" for agent in agents]
    lines += [f"    {edge.writer} -->|{topic(edge.message)}| {edge.reader}" for edge in edges(agents)]
    return "\n".join(lines) + "\n"


def _same_chain(writer: Agent[Any], reader: Agent[Any]) -> bool:
    """Agents of one embedding model have topics of their own."""
    return writer.model in {None, reader.model}


def _check_names(agents: tuple[Agent[Any], ...]) -> None:
    names = [agent.name for agent in agents]
    if twice := {name for name in names if names.count(name) > 1}:
        raise WrongTopology(f"two agents are named {', '.join(sorted(twice))}")


def _check_writers(agents: tuple[Agent[Any], ...], flow: tuple[Edge, ...]) -> None:
    fed = {(edge.message, edge.reader) for edge in flow}
    for agent in agents:
        for message in agent.consumes:
            if (message, agent.name) not in fed:
                raise WrongTopology(f"nobody writes {message.__name__}, which {agent.name} consumes")
