"""Settles dead letters: puts their records back for the agent that could not process them, or gives them up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.adapters.catalogue import Catalogue
from streams.adapters.kafka import producer_config
from streams.adapters.kafka_errors import answering
from streams.domain.errors import Outage
from streams.operations.dead_letters import HOW, PREFIX, SETTLED, DeadLetter, Fate, place
from streams.operations.installation import agents
from streams.operations.reading import Headers, Record, whole
from streams.settings import Kafka, Settings

AT_A_TIME = 100
"""Dead letters that are acknowledged, then marked, together: what a failure leaves half done is no more than that."""

PATIENCE_SECONDS = 30.0
"""How long the brokers have to acknowledge a record."""

LARGEST_BYTES = 2_097_152
"""Whether a record is too large is the broker's to say, of that record alone."""

_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """A record to be written; `time` None: now."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    time_ms: int | None = None


def obstacles(settings: Settings, letters: Iterable[DeadLetter]) -> dict[str, str]:
    """Why some of the letters cannot be replayed, by their ids. Raises `Outage` and `LookupError` (no such topic)."""
    catalogue, found = Catalogue(settings.kafka.prefix), dict[str, str]()
    reads = {
        agent.name: {catalogue.topic_name(message, agent.model) for message in agent.consumes}
        for agent in agents(settings)
    }
    compacted: defaultdict[str, list[DeadLetter]] = defaultdict(list)
    for letter in letters:
        if letter.offset < 0:
            found[letter.id] = "no message failed but a deadline: there is nothing to put back"
        elif letter.topic not in reads.get(letter.agent, ()):
            found[letter.id] = f"no agent {letter.agent} reads {letter.topic}"
        elif catalogue.topic(letter.topic).cleanup == "compact":
            compacted[letter.topic].append(letter)
    for topic, some in compacted.items():
        superseded = outdated(some, whole(settings.kafka, topic))
        found |= dict.fromkeys(superseded, "a newer record of its key has come, which compaction would drop for it")
    return found


def outdated(letters: Iterable[DeadLetter], records: Iterable[Record]) -> list[str]:
    """Ids of the letters that a record with other content follows; the same one may be another agent's replay."""
    letters = list(letters)
    asked = {(letter.partition, letter.key) for letter in letters}
    last = {(each.partition, each.key): each for each in records if (each.partition, each.key) in asked}
    newest = ((letter, last.get((letter.partition, letter.key))) for letter in letters)
    return [letter.id for letter, each in newest if each and each.offset > letter.offset and each.value != letter.value]


def settle(settings: Settings, letters: Sequence[DeadLetter], fate: Fate) -> None:
    """Replay or discard the letters, in their order, and mark them so.

    A record is marked once it is acknowledged: after a failure in between it is replayed a second time rather than
    lost. Raises `Outage` when something was not acknowledged; what was is marked.
    """
    topic = Catalogue(settings.kafka.prefix).dead_letters
    producer = _producer(settings.kafka)
    with answering(settings.kafka):
        for start in range(0, len(letters), AT_A_TIME):
            some = letters[start : start + AT_A_TIME]
            failures = _write(producer, [replayed(each, topic) for each in some]) if fate is Fate.REPLAYED else {}
            done = [each for number, each in enumerate(some) if number not in failures]
            unmarked = _write(producer, [mark(each, topic, fate) for each in done])
            _raise_first([(some[number], why) for number, why in failures.items()])
            _raise_first([(done[number], why) for number, why in unmarked.items()])


def _raise_first(failures: Sequence[tuple[DeadLetter, str]]) -> None:
    for letter, why in failures[:1]:
        raise Outage("kafka", f"not acknowledged: {len(failures)}, the first for dead letter {letter.id}: {why}")


def replayed(letter: DeadLetter, dead_letters: str) -> Put:
    """The original record in its old place, for the agent alone that could not process it.

    `dead_letters` is the name of the topic where the letter lies.
    """
    said = {"agent": letter.agent, "attempt": str(letter.attempt), "replay": place(dead_letters, letter.id)}
    headers = (*letter.headers, *((f"{PREFIX}{name}", text.encode()) for name, text in said.items()))
    return Put(
        topic=letter.topic,
        partition=letter.partition,
        key=letter.key,
        value=letter.value,
        headers=headers,
        time_ms=max(0, letter.time // 1000),
    )


def mark(letter: DeadLetter, dead_letters: str, fate: Fate) -> Put:
    """What tells from now on that a dead letter is no longer open."""
    headers = ((SETTLED, place(dead_letters, letter.id).encode()), (HOW, fate.value.encode()))
    partition = int(letter.id.partition("-")[0])
    return Put(topic=dead_letters, partition=partition, key=letter.key, value=None, headers=headers)


def _producer(kafka: Kafka) -> Producer:
    return Producer(
        {
            **producer_config(kafka),
            "message.timeout.ms": round(PATIENCE_SECONDS * 1000),
            "message.max.bytes": LARGEST_BYTES,
            "log_level": 0,
        }
    )


def _write(producer: Producer, records: Iterable[Put]) -> dict[int, str]:
    """Write, and wait for every acknowledgement; what was not acknowledged, by its place among the records, and why."""
    failures: dict[int, str] = {}
    for number, each in enumerate(records):
        try:
            producer.produce(
                each.topic,
                key=each.key,
                value=each.value,
                partition=each.partition,
                headers=list(each.headers),
                timestamp=each.time_ms or 0,
                on_delivery=partial(_delivered, failures, number),
            )
        except KafkaException as error:  # what the client itself knows to be impossible, such as a partition
            failures[number] = error.args[0].str()
    while len(producer):
        producer.flush(_POLL_SECONDS)
    return failures


def _delivered(failures: dict[int, str], number: int, error: KafkaError | None, _: Message) -> None:
    if error is not None:
        failures[number] = error.str()
