"""Names of topics, and what their files must say."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from streams.adapters.catalogue import RECORDS, Catalogue, read_topic
from streams.domain.messages import Document, Event, Message, ObjectRecord

CATALOGUE = Catalogue("home")
COMPLETE = """
name: things
description: Things.
owner: us
key: thing
message: Event
partitions: keyed
cleanup: delete
retention: P7D
config: {max.message.bytes: 100}
writers: [us]
readers: [them]
"""


def test_a_message_travels_on_the_topic_with_the_installation_s_prefix() -> None:
    assert CATALOGUE.topic_name(Event) == "home-events"
    assert CATALOGUE.topic_name(Document, model="mini") == "home-documents-mini"
    assert CATALOGUE.dead_letters == "home-dead-letters"


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_names_lead_back_to_the_message(record: type[Message]) -> None:
    name = CATALOGUE.topic_name(record, model="jina-clip-v2")
    assert CATALOGUE.message_of(name) is record
    assert f"home-{CATALOGUE.short(name)}" == name


def test_documents_without_a_model_have_no_topic() -> None:
    with pytest.raises(LookupError, match="needs the name of an embedding model"):
        CATALOGUE.topic_name(Document)


def test_what_travels_on_no_topic_is_refused() -> None:
    with pytest.raises(LookupError, match="no topic carries Message"):
        CATALOGUE.topic_name(Message)


@pytest.mark.parametrize("name", ["home-eventz", "home-documents-", "away-events", "events", "", "home-"])
def test_names_of_no_topic_are_refused(name: str) -> None:
    with pytest.raises(LookupError):
        CATALOGUE.message_of(name)


def test_a_prefix_with_hyphens_stays_apart() -> None:
    catalogue = Catalogue("home-documents")
    assert catalogue.message_of("home-documents-events") is Event
    assert catalogue.message_of("home-documents-documents-mini") is Document


def test_dead_letters_are_bytes_of_any_kind() -> None:
    assert CATALOGUE.message_of("home-dead-letters") is None


def test_there_is_one_documents_topic_per_model() -> None:
    names = [topic.name for topic in CATALOGUE.topics(["mini", "large"])]
    assert [name for name in names if "documents" in name] == ["home-documents-mini", "home-documents-large"]
    assert not [name for name in names if "{" in name or not name.startswith("home-")]
    assert len(names) == len(set(names))


def test_an_agent_s_changelog_is_named_as_faust_names_that_of_a_table_state() -> None:
    changelog = CATALOGUE.changelog("embed-mini")
    assert CATALOGUE.app_id("embed-mini") == "home-embed-mini"
    assert changelog.name == "home-embed-mini-state-changelog"
    assert changelog.settings()["cleanup.policy"] == "compact"


def test_settings_are_kafka_s_own_names_and_units() -> None:
    assert CATALOGUE.topic("home-detections").settings() == {"cleanup.policy": "delete", "retention.ms": "21600000"}
    compacted = CATALOGUE.topic(CATALOGUE.topic_name(ObjectRecord)).settings()
    assert (compacted["cleanup.policy"], compacted["retention.ms"]) == ("compact", "-1")


class TestTopicFiles:
    def read(self, folder: Path, text: str) -> str:
        file = folder / "things.yaml"
        file.write_text(text)
        return read_topic(file).name

    def test_that_are_complete_are_read(self, tmp_path: Path) -> None:
        assert self.read(tmp_path, COMPLETE) == "things"

    @pytest.mark.parametrize(
        ("old", "new", "complaint"),
        [
            ("owner: us\n", "", "missing required field `owner`"),
            ("key: thing", "key: thing\ncolour: red", "unknown field `colour`"),
            ("cleanup: delete", "cleanup: shred", "Invalid enum value 'shred'"),
            ("retention: P7D", "retention: long", "Invalid ISO8601 duration"),
            ("message: Event", "message: Evnt", "things.yaml: no message Evnt"),
            ("partitions: keyed", "partitions: 7", "partitions"),
        ],
    )
    def test_that_say_something_wrong_are_refused(self, tmp_path: Path, old: str, new: str, complaint: str) -> None:
        with pytest.raises(msgspec.ValidationError, match=complaint):
            self.read(tmp_path, COMPLETE.replace(old, new))
