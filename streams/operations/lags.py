"""How far each agent's consumer group is behind, as the brokers have it: also when no worker runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from functools import partial

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo, OffsetSpec

from streams.adapters.catalogue import Catalogue
from streams.adapters.kafka import client_config
from streams.adapters.kafka_errors import answering, settled
from streams.operations.installation import agents
from streams.settings import Kafka, Settings

ANSWER_SECONDS = 4.0
"""How long the brokers have for each question."""

Spot = tuple[str, int]
"""A topic and a partition."""


def agent_lags(settings: Settings) -> dict[str, int | None]:
    """Messages that each agent has not committed yet, by its name; None: a topic that it reads is missing.

    Raises `Outage` when the brokers do not answer.
    """
    catalogue = Catalogue(settings.kafka.prefix)
    groups = {
        catalogue.app_id(agent.name): [catalogue.topic_name(message, agent.model) for message in agent.consumes]
        for agent in agents(settings)
    }
    return {catalogue.short(group): lag for group, lag in group_lags(settings.kafka, groups).items()}


def group_lags(kafka: Kafka, groups: Mapping[str, Iterable[str]]) -> dict[str, int | None]:
    """Messages that each group has not committed yet, by the topics that it reads; None: a topic is missing.

    Raises `Outage` when the brokers do not answer.
    """
    with answering(kafka):
        admin = AdminClient({**client_config(kafka), "log_level": 0})
        there = admin.list_topics(timeout=ANSWER_SECONDS).topics
        spots = {
            group: [(topic, partition) for topic in topics for partition in there[topic].partitions]
            for group, topics in groups.items()
            if all(topic in there for topic in topics)
        }
        every = {spot for group in spots.values() for spot in group}
        begins, ends = _bounds(admin, every)
        committed = {group: settled(partial(_committed, admin, group, own)) for group, own in spots.items()}
    lags = {
        group: sum(ends[spot] - committed[group].get(spot, begins[spot]) for spot in own)
        for group, own in spots.items()
    }
    return {group: lags.get(group) for group in groups}


def message_counts(kafka: Kafka, topics: Iterable[str]) -> dict[str, int]:
    """Messages in each topic that exists; what was compacted away counts too. Raises `Outage`."""
    with answering(kafka):
        admin = AdminClient({**client_config(kafka), "log_level": 0})
        there = admin.list_topics(timeout=ANSWER_SECONDS).topics
        spots = [(topic, partition) for topic in topics if topic in there for partition in there[topic].partitions]
        begins, ends = _bounds(admin, spots)
    counts = dict.fromkeys((topic for topic, _ in spots), 0)
    for spot in spots:
        counts[spot[0]] += ends[spot] - begins[spot]
    return counts


def _bounds(admin: AdminClient, spots: Iterable[Spot]) -> tuple[dict[Spot, int], dict[Spot, int]]:
    """The lowest offset of each partition, and its end."""
    spots = tuple(spots)
    earliest, latest = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]  # the client's gap
    return settled(partial(_offsets, admin, spots, earliest)), settled(partial(_offsets, admin, spots, latest))


def _offsets(admin: AdminClient, spots: Iterable[Spot], which: OffsetSpec) -> dict[Spot, int]:
    asked = {TopicPartition(*spot): which for spot in spots}
    if not asked:
        return {}
    futures: Mapping[TopicPartition, Future[ListOffsetsResultInfo]] = admin.list_offsets(
        asked, request_timeout=ANSWER_SECONDS
    )
    return {(spot.topic, spot.partition): future.result().offset for spot, future in futures.items()}


def _committed(admin: AdminClient, group: str, spots: Iterable[Spot]) -> dict[Spot, int]:
    """Only what was ever committed."""
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(*spot) for spot in spots])
    future: Future[ConsumerGroupTopicPartitions] = admin.list_consumer_group_offsets(
        [asked], request_timeout=ANSWER_SECONDS
    )[group]
    found = future.result().topic_partitions or []
    return {(spot.topic, spot.partition): spot.offset for spot in found if spot.offset >= 0}
