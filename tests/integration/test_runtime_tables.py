"""Tables on the real broker: whose keys lie where, and recovery from a changelog whose end is no record any more."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.adapters.catalogue import Topic
from streams.adapters.kafka import client_config
from streams.runtime.runner import AgentRunner
from streams.settings import Kafka
from tests.support.services import Services
from tests.support.toy_site import PARTITIONS, ToySite, now, toy_site, until
from tests.support.toys import Ping, counter

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

KEYS = {f"k{n}" for n in range(40)}


def may_be_emptied(topic: Topic) -> Topic:
    """Brokers delete records before their time only where the policy says delete."""
    if topic.cleanup == "delete":
        return topic
    return replace(topic, config={**topic.config, "cleanup.policy": "compact,delete"})


async def ping_all(toys: ToySite) -> None:
    await toys.send(Ping(name=key, at=now()) for key in KEYS)


def delete_records(kafka: Kafka, topic: str) -> None:
    partitions = [TopicPartition(topic, number, -1) for number in range(PARTITIONS)]
    admin = AdminClient(client_config(kafka))
    deleted = admin.delete_records(partitions)
    assert all(future.result(20).low_watermark > 0 for future in deleted.values())


def end_with_nothing(kafka: Kafka, topic: str) -> None:
    """The offset of a transaction's end carries no record, as that of a record that was compacted away."""
    producer = Producer({**client_config(kafka), "transactional.id": uuid4().hex})
    producer.init_transactions(20)
    producer.begin_transaction()
    for number in range(PARTITIONS):
        producer.produce(topic, b"never", key=b"never", partition=number)
    producer.flush(20)
    producer.abort_transaction(20)


async def test_recovery_ends_where_the_changelog_was_emptied_or_its_last_record_is_gone(
    services: Services, prefix: str, tmp_path: Path
) -> None:
    emptied, cut = counter(name="emptied"), counter(name="cut")
    async with toy_site(services, prefix, tmp_path, emptied, cut, topics=may_be_emptied) as toys:
        await ping_all(toys)
        async with toys.running(emptied, cut):
            await toys.caught_up(emptied, cut)
        changelogs = [toys.catalogue.changelog(agent.name).name for agent in (emptied, cut)]
        await asyncio.to_thread(delete_records, toys.settings.kafka, changelogs[0])
        await asyncio.to_thread(end_with_nothing, toys.settings.kafka, changelogs[1])
        async with toys.running(emptied, cut) as worker:
            assert [keys_of(runner) for runner in worker.runners] == [set(), KEYS]
            await ping_all(toys)
            await toys.caught_up(emptied, cut)
            assert [keys_of(runner) for runner in worker.runners] == [KEYS, KEYS]
        numbers = [pong.number for pong in await toys.pongs()]
    assert Counter(numbers) == {1: 3 * len(KEYS), 2: len(KEYS)}


async def test_workers_hold_the_keys_of_their_own_partitions_only(
    services: Services, prefix: str, tmp_path: Path
) -> None:
    agent = counter()
    async with toy_site(services, prefix, tmp_path, agent) as toys:
        await ping_all(toys)
        async with toys.running(agent, static=False) as staying:
            (stays,) = staying.runners
            await toys.caught_up(agent)
            assert keys_of(stays) == KEYS
            async with toys.running(agent, name="w1", static=False) as joining:
                (joins,) = joining.runners
                await until(lambda: keys_of(stays) and keys_of(joins) == KEYS - keys_of(stays))
                await ping_all(toys)
                await toys.caught_up(agent)
            await until(lambda: keys_of(stays) == KEYS)
            await ping_all(toys)
            await toys.caught_up(agent)
        numbers = [pong.number for pong in await toys.pongs()]
    assert Counter(numbers) == {1: len(KEYS), 2: len(KEYS), 3: len(KEYS)}


def keys_of(runner: AgentRunner[Any]) -> set[str]:
    store = runner._states._store()
    return {key.decode() for partition in store.partitions() for key, _ in store.items_of(partition)}
