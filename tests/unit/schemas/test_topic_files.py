"""Every topic is described completely, and nothing is described that does not exist."""

from __future__ import annotations

import json

import pytest

from streams.adapters.catalogue import RECORDS, Catalogue, Topic
from streams.adapters.codec import subject_of
from streams.pipeline import outline
from tests.support.schema_samples import FILES, GOLDEN, Released, everything

TOPICS = Catalogue("nvr").files
EVERYTHING = everything()
AGENTS = outline(model="mini", collection="objects")
GROUPS = {"every agent", "the agent", "public", "operator", "camera system", "recorder", "player"}
"""Readers and writers that are no single agent of ours."""

topics = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
released = pytest.mark.parametrize("released", EVERYTHING, ids=lambda released: released.name)


@topics
class TestEveryTopic:
    def test_says_what_it_is_for_and_whose_it_is(self, topic: Topic) -> None:
        assert topic.description.endswith(".")
        assert topic.owner
        assert topic.key

    def test_has_writers_and_readers(self, topic: Topic) -> None:
        assert topic.writers
        assert topic.readers

    def test_has_a_schema_or_the_reason_why_not(self, topic: Topic) -> None:
        assert (topic.message is None) == bool(topic.reason)

    def test_keeps_the_newest_per_key_for_ever_or_everything_for_a_time(self, topic: Topic) -> None:
        assert (topic.cleanup == "compact") == (topic.retention is None)

    def test_is_compacted_within_a_day_if_at_all(self, topic: Topic) -> None:
        # The active segment is never compacted, and whoever reads the topic whole reads every old version in it.
        if topic.cleanup == "compact":
            assert int(topic.config["segment.ms"]) <= 3_600_000
            assert int(topic.config["max.compaction.lag.ms"]) <= 86_400_000
            assert int(topic.config["delete.retention.ms"]) >= 86_400_000

    def test_has_a_name_that_makes_no_clash_of_metrics(self, topic: Topic) -> None:
        # Kafka takes dots and underscores in names for the same character in the names of its metrics.
        assert not {".", "_"} & set(topic.name)


def test_every_message_travels_on_exactly_one_topic() -> None:
    assert sorted(topic.message.__name__ for topic in TOPICS if topic.message) == sorted(
        record.__name__ for record in RECORDS
    )


def test_agents_read_and_write_just_the_topics_whose_files_say_so() -> None:
    told = {
        (agent, direction, topic.message)
        for topic in TOPICS
        if topic.message
        for direction, agents in (("reads", topic.readers), ("writes", topic.writers))
        for agent in agents
        if agent not in GROUPS
    }
    done = {
        (agent.name.partition("-")[0], direction, message)
        for agent in AGENTS
        for direction, messages in (("reads", agent.consumes), ("writes", agent.produces))
        for message in messages
    }
    assert told == done


def test_agents_keep_states_under_names_of_their_own() -> None:
    names = [state.__name__ for agent in AGENTS for state in agent.state]
    assert len(names) == len(set(names))


@released
class TestEverythingReleased:
    def test_has_examples(self, released: Released) -> None:
        assert released.examples()

    def test_has_golden_bytes_of_every_version(self, released: Released) -> None:
        for version, _ in enumerate(released.versions, start=1):
            assert released.golden(version).is_file()
            assert released.told(version).is_file()

    def test_has_frozen_versions_that_are_complete_schemas(self, released: Released) -> None:
        for version in released.versions:
            assert json.loads(version)["fields"]


def test_no_file_is_an_orphan() -> None:
    subjects = {each.subject for each in EVERYTHING}
    names = {each.name for each in EVERYTHING}
    golden = {
        f"{each.name}-v{version}.{kind}"
        for each in EVERYTHING
        for version, _ in enumerate(each.versions, start=1)
        for kind in ("avro", "json")
    }
    assert {folder.name for folder in (FILES.folder / "frozen").iterdir()} == subjects
    assert {folder.name for folder in (FILES.folder / "examples").iterdir()} == names
    assert {file.name for file in GOLDEN.glob("*-v*")} == golden
    assert {subject_of(topic.subject) for topic in TOPICS if topic.message} <= subjects
    assert {file.suffix for file in (FILES.folder / "topics").iterdir()} == {".yaml"}
