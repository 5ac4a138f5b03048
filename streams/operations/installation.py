"""What an installation consists of by its settings: its agents and its topics."""

from __future__ import annotations

from typing import Any

from streams.adapters.catalogue import Catalogue, Topic
from streams.domain.agent import Agent
from streams.operations.topics import needed
from streams.pipeline import outline
from streams.settings import Settings


def agents(settings: Settings) -> tuple[Agent[Any], ...]:
    """All agents, with nothing behind them: to be named and drawn, never to run."""
    return outline(model=settings.embedding.model, collection=settings.index.collection)


def topics(settings: Settings) -> tuple[Topic, ...]:
    """All topics under their names in Kafka, changelogs included."""
    stateful = [agent.name for agent in agents(settings) if agent.state]
    return needed(Catalogue(settings.kafka.prefix), [settings.embedding.model], stateful)
