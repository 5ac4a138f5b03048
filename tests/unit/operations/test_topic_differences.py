"""Every way in which a topic in Kafka can differ from what it should be has its own words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.adapters.catalogue import Catalogue
from streams.operations.topics import Found, differences, needed
from streams.settings import Kafka

KAFKA = Kafka(partitions=4, replication=2)
CATALOGUE = Catalogue("nvr")
OBJECTS = CATALOGUE.topic("nvr-objects")
RIGHT = Found(partitions=4, replicas=2, config={**OBJECTS.settings(), "compression.type": "producer"})


def test_a_topic_that_is_as_it_should_be_has_none() -> None:
    assert list(differences(OBJECTS, RIGHT, KAFKA)) == []


def test_more_replicas_than_asked_for_are_no_difference() -> None:
    assert list(differences(OBJECTS, replace(RIGHT, replicas=3), KAFKA)) == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "nvr-objects: missing; run: nvr-streams topics create"),
        (replace(RIGHT, partitions=6), "nvr-objects: 6 partitions, expected 4 (kafka.partitions)"),
        (replace(RIGHT, replicas=1), "nvr-objects: 1 replicas, expected 2 (kafka.replication)"),
        (
            replace(RIGHT, config={**RIGHT.config, "cleanup.policy": "delete"}),
            "nvr-objects: cleanup.policy is delete, expected compact",
        ),
        (
            replace(RIGHT, config={**RIGHT.config, "segment.ms": "604800000"}),
            "nvr-objects: segment.ms is 604800000, expected 3600000",
        ),
    ],
)
def test_each_difference_is_named_with_what_is_expected(found: Found | None, words: str) -> None:
    assert list(differences(OBJECTS, found, KAFKA)) == [words]


def test_a_missing_setting_is_a_difference() -> None:
    assert len(list(differences(OBJECTS, replace(RIGHT, config={}), KAFKA))) == len(OBJECTS.settings())


def test_needed_are_the_catalogue_s_topics_and_a_changelog_for_each_agent_with_state() -> None:
    names = [topic.name for topic in needed(CATALOGUE, ["mini"], ["track", "embed-mini"])]
    assert names[-2:] == ["nvr-track-state-changelog", "nvr-embed-mini-state-changelog"]
    assert len(names) == len(CATALOGUE.topics(["mini"])) + 2
