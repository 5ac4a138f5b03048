"""Topics in Kafka: makes those that the catalogue and the agents need, and finds every difference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigEntry, ConfigResource, NewTopic, TopicMetadata

from streams.adapters.catalogue import Catalogue, Topic
from streams.adapters.kafka import client_config
from streams.adapters.kafka_errors import answering
from streams.settings import Kafka

ANSWER_SECONDS = 5.0
"""How long the brokers have for a question."""

MAKE_SECONDS = 30.0
"""How long they have to make the topics: a small cluster takes a few seconds for many at once."""

CLEANUP = "cleanup.policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A topic as the brokers have it."""

    partitions: int
    replicas: int
    config: Mapping[str, str]


def needed(catalogue: Catalogue, models: Iterable[str], stateful: Iterable[str]) -> tuple[Topic, ...]:
    """All topics of an installation: the catalogue's, and a changelog for each agent that remembers something."""
    return (*catalogue.topics(models), *(catalogue.changelog(agent) for agent in stateful))


def create(kafka: Kafka, topics: Iterable[Topic]) -> tuple[str, ...]:
    """Make the topics that are missing and return their names; those that exist are left as they are.

    Raises `Outage` when no broker answers, or one refuses.
    """
    with answering(kafka):
        admin = _admin(kafka)
        there = admin.list_topics(timeout=ANSWER_SECONDS).topics
        missing = [
            NewTopic(topic.name, kafka.partitions, kafka.replication, config=topic.settings())
            for topic in topics
            if topic.name not in there
        ]
        patience = {"operation_timeout": MAKE_SECONDS, "request_timeout": MAKE_SECONDS}
        made = admin.create_topics(missing, **patience) if missing else {}
        return tuple(name for name, future in made.items() if _is_made(future))


def check(kafka: Kafka, topics: Iterable[Topic]) -> list[str]:
    """Every difference between the topics and what the brokers have, in words. Raises `Outage`."""
    topics = tuple(topics)
    there = find(kafka, topics)
    return [line for topic in topics for line in differences(topic, there.get(topic.name), kafka)]


def unfit(kafka: Kafka, topics: Iterable[Topic]) -> list[str]:
    """Those differences with which nothing may run, or states and messages would get lost. Raises `Outage`."""
    topics = tuple(topics)
    there = find(kafka, topics)
    return [line for topic in topics for line in _vital(topic, there.get(topic.name), kafka)]


def differences(topic: Topic, found: Found | None, kafka: Kafka) -> Iterator[str]:
    """In what a topic in Kafka differs from what it should be, in words."""
    yield from _vital(topic, found, kafka)
    if found is None:
        return
    if found.replicas < kafka.replication:
        yield f"{topic.name}: {found.replicas} replicas, expected {kafka.replication} (kafka.replication)"
    for name, value in topic.settings().items():
        if name != CLEANUP and found.config.get(name) != value:
            yield f"{topic.name}: {name} is {found.config.get(name)}, expected {value}"


def _vital(topic: Topic, found: Found | None, kafka: Kafka) -> Iterator[str]:
    if found is None:
        yield f"{topic.name}: missing; run: nvr-streams topics create"
        return
    if found.partitions != kafka.partitions:
        yield f"{topic.name}: {found.partitions} partitions, expected {kafka.partitions} (kafka.partitions)"
    if found.config.get(CLEANUP) != topic.cleanup:
        yield f"{topic.name}: {CLEANUP} is {found.config.get(CLEANUP)}, expected {topic.cleanup}"


def find(kafka: Kafka, topics: Iterable[Topic]) -> dict[str, Found]:
    """Those of the topics that exist, by name, as the brokers have them. Raises `Outage`."""
    with answering(kafka):
        admin = _admin(kafka)
        metadata = admin.list_topics(timeout=ANSWER_SECONDS).topics
        there = {topic.name: metadata[topic.name] for topic in topics if topic.name in metadata}
        if not there:
            return {}
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in there]
        asked = admin.describe_configs(resources, request_timeout=ANSWER_SECONDS)
        configs = {resource.name: future.result() for resource, future in asked.items()}
    return {name: _found(topic, configs[name]) for name, topic in there.items()}


def _found(topic: TopicMetadata, config: Mapping[str, ConfigEntry]) -> Found:
    return Found(
        partitions=len(topic.partitions),
        replicas=min((len(partition.replicas) for partition in topic.partitions.values()), default=0),
        config={name: str(entry.value) for name, entry in config.items()},
    )


def _admin(kafka: Kafka) -> AdminClient:
    # What goes wrong reaches the caller as an error; the library would also write it to stderr.
    return AdminClient({**client_config(kafka), "log_level": 0})


def _is_made(future: Future[None]) -> bool:
    try:
        future.result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:  # somebody made it in between
            return False
        raise
    return True
