import asyncio

import pytest
from confluent_kafka import Producer

from streams.adapters.catalogue import Catalogue
from streams.adapters.kafka import producer_config
from streams.adapters.publisher import Publisher, open_publisher
from streams.domain.cameras import Camera
from streams.domain.errors import Outage, Poison
from streams.domain.messages import Event, Tombstone
from streams.operations.reading import whole
from streams.settings import Kafka
from tests.support.mock_broker import mock_broker

# librdkafka brings a broker of its own for tests: the real protocol, inside the process.
BROKER = {"test.mock.num.brokers": 1, "log_level": 0}
EVENT = Event(object_id="1-abcdef", camera="yard", label="person", frame_time=1, start_time=1)


class PlainEncoder:
    """Values that can be read in a test."""

    async def encode(self, topic, message):
        await asyncio.sleep(0)
        if message.key == "bad":
            raise Poison("unencodable", "score: nan")
        return None if isinstance(message, Tombstone) else f"{topic}:{message.key}".encode()


class Overheard(Producer):
    """Remembers what is handed to Kafka."""

    def __init__(self, config):
        super().__init__(config)
        self.produced = []

    def produce(self, topic, **record):
        self.produced.append((topic, record))
        super().produce(topic, **record)


def publisher(**config):
    producer = Overheard({**producer_config(Kafka()), **BROKER, **config})
    return Publisher(
        producer=producer, encoder=PlainEncoder(), catalogue=Catalogue("nvr"), source="nvr-streams/home/player"
    ), producer


async def test_a_message_goes_to_its_topic_with_key_value_and_headers():
    sender, producer = publisher()
    await sender.publish(EVENT)
    await sender.flush()
    ((topic, record),) = producer.produced
    assert (topic, record["key"], record["value"]) == ("nvr-events", b"1-abcdef", b"nvr-events:1-abcdef")
    headers = dict(record["headers"])
    assert headers["ce_type"] == b"nvr.streams.Event"
    assert headers["ce_source"] == b"nvr-streams/home/player"


async def test_a_tombstone_goes_to_the_topic_of_what_it_deletes():
    sender, producer = publisher()
    await sender.publish(Tombstone(of=Camera, name="yard", at=1))
    await sender.flush()
    ((topic, record),) = producer.produced
    assert (topic, record["key"], record["value"]) == ("nvr-cameras", b"yard", None)


async def test_everything_is_acknowledged_after_a_flush_also_far_more_than_may_be_under_way():
    sender, producer = publisher()
    for _ in range(2500):
        await sender.publish(EVENT)
        assert len(producer) <= 1000
    await sender.flush()
    assert len(producer) == 0
    assert sender.published == 2500


async def test_a_message_that_nobody_acknowledges_is_an_outage():
    sender, _ = publisher(**{"message.timeout.ms": 50, "bootstrap.servers": "127.0.0.1:1", "test.mock.num.brokers": 0})
    await sender.publish(EVENT)
    with pytest.raises(Outage, match=r"kafka: a message on nvr-events was not acknowledged"):
        await sender.flush()
    with pytest.raises(Outage):
        await sender.publish(EVENT)


async def test_what_cannot_be_encoded_is_not_sent():
    sender, producer = publisher()
    with pytest.raises(Poison, match="unencodable"):
        await sender.publish(Event(object_id="bad", camera="yard", label="person", frame_time=1, start_time=1))
    assert producer.produced == []


async def test_where_no_broker_answers_opening_says_so(monkeypatch):
    monkeypatch.setattr("streams.adapters.publisher.GREETING", 0.2)
    kafka = Kafka(bootstrap="127.0.0.1:1")
    with pytest.raises(Outage, match=r"no broker answers at 127\.0\.0\.1:1"):
        async with open_publisher(kafka, encoder=PlainEncoder(), catalogue=Catalogue("nvr"), source="test"):
            pass


async def test_all_is_acknowledged_when_the_block_ends():
    with mock_broker() as broker:
        kafka = Kafka(bootstrap=broker.bootstrap)
        async with open_publisher(kafka, encoder=PlainEncoder(), catalogue=Catalogue("nvr"), source="test") as sender:
            await sender.publish(EVENT)
        records = [record.key for record in whole(kafka, "nvr-events")]
    assert records == [EVENT.key.encode()]
