"""The catalogue of topics: their names, keys, messages, retention, writers and readers, read from `schemas/topics`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

import msgspec

from streams.domain.cameras import Camera
from streams.domain.messages import (
    Crop,
    Detections,
    Document,
    Event,
    Message,
    ObjectRecord,
    Recordings,
    Sighting,
    TrackedObjectUpdate,
)
from streams.files import shipped

RECORDS: tuple[type[Message], ...] = (
    Event,
    Detections,
    Recordings,
    Camera,
    Crop,
    Sighting,
    ObjectRecord,
    TrackedObjectUpdate,
    Document,
)
"""Every class that travels on a topic, in the order in which data meets them."""

MODEL, APP = "{model}", "{app}"
"""What a topic's name leaves open: one topic per embedding model, one changelog per agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic, as its file in `schemas/topics` describes it."""

    name: str
    """Full name in Kafka once it comes out of a catalogue; in the files without prefix, perhaps a template."""
    subject: str
    """Name of the topic's file: its frozen schemas and examples lie under this name, whatever the prefix and model."""
    description: str
    owner: str
    key: str
    """What the record's key means."""
    message: type[Message] | None
    reason: str = ""
    """Why there is no schema, where there is none."""
    partitions: Literal["keyed"] = "keyed"
    """`keyed`: as many as configured, the same for all topics, so that one key lies in one partition number."""
    cleanup: Literal["delete", "compact"]
    retention: timedelta | None
    """How long records are kept; None: for ever (compacted)."""
    config: Mapping[str, str] = field(default_factory=dict)
    """Further settings of the topic, by Kafka's names."""
    writers: tuple[str, ...]
    readers: tuple[str, ...]

    def settings(self) -> dict[str, str]:
        """All settings that the topic is created with, by Kafka's names."""
        kept = -1 if self.retention is None else int(self.retention.total_seconds() * 1000)
        return {"cleanup.policy": self.cleanup, "retention.ms": str(kept), **self.config}


class Catalogue:
    """The topics of one installation, whose names in Kafka all start with `<prefix>-`."""

    def __init__(
        self, prefix: str, folder: Path | None = None, *, records: tuple[type[Message], ...] = RECORDS
    ) -> None:
        """Read the topic files, which name classes of `records`. `folder` defaults to the shipped `schemas/topics`.

        Raises `msgspec.ValidationError` naming the field that a file lacks or should not have.
        """
        files = sorted((folder or shipped("schemas", "topics")).glob("*.yaml"))
        self._prefix = prefix
        self._topics = tuple(read_topic(file, records) for file in files)
        self._by_message = {topic.message: topic for topic in self._topics if topic.message}
        self._changelog = next(topic for topic in self._topics if APP in topic.name)

    @property
    def files(self) -> tuple[Topic, ...]:
        """The topics as their files describe them: no prefix, names may be templates."""
        return self._topics

    def topics(self, models: Iterable[str] = ()) -> tuple[Topic, ...]:
        """All topics except changelogs, under their names in Kafka; one documents topic per embedding model."""
        plain = (topic for topic in self._topics if "{" not in topic.name)
        per_model = (
            replace(topic, name=topic.name.replace(MODEL, model))
            for topic in self._topics
            if MODEL in topic.name
            for model in models
        )
        return tuple(self._named(topic) for topic in (*plain, *per_model))

    def topic_name(self, message: type[Message], model: str | None = None) -> str:
        """The name in Kafka of the topic that `message` travels on.

        Raises `LookupError` when it travels on none, or on one per embedding model and `model` is None.
        """
        topic = self._by_message.get(message)
        if topic is None:
            raise LookupError(f"no topic carries {message.__name__}")
        if MODEL in topic.name and not model:
            raise LookupError(f"{topic.name} needs the name of an embedding model")
        return self._prefixed(topic.name.replace(MODEL, model or ""))

    @property
    def dead_letters(self) -> str:
        """The name in Kafka of the topic of dead letters."""
        return self._prefixed("dead-letters")

    def app_id(self, agent: str) -> str:
        """The name of an agent's application and consumer group."""
        return self._prefixed(agent)

    def changelog(self, agent: str) -> Topic:
        """The changelog of an agent that has state."""
        return replace(self._changelog, name=self._changelog.name.replace(APP, self.app_id(agent)))

    def short(self, kafka_name: str) -> str:
        """The name without the installation's prefix, as it stands in documents, metrics and commands.

        Raises `LookupError` for a topic of another installation.
        """
        if not kafka_name.startswith(f"{self._prefix}-"):
            raise LookupError(f"{kafka_name} does not start with {self._prefix}-")
        return kafka_name.removeprefix(f"{self._prefix}-")

    def topic(self, kafka_name: str) -> Topic:
        """The topic of that name in Kafka. Raises `LookupError` when there is none."""
        short = self.short(kafka_name)
        for topic in self._topics:
            before, template, after = topic.name.partition(MODEL)
            if short == topic.name or (template and short.startswith(before) and len(short) > len(before + after)):
                return replace(topic, name=kafka_name)
        raise LookupError(f"no topic {short}; there are {', '.join(topic.name for topic in self._topics)}")

    def message_of(self, kafka_name: str) -> type[Message] | None:
        """The class that travels on a topic; None: bytes of any kind. Raises `LookupError` when there is no such topic."""
        return self.topic(kafka_name).message

    def _named(self, topic: Topic) -> Topic:
        return replace(topic, name=self._prefixed(topic.name))

    def _prefixed(self, name: str) -> str:
        return f"{self._prefix}-{name}"


class _File(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a topic's file may and must say."""

    name: str
    description: str
    owner: str
    key: str
    message: str | None
    reason: str = ""
    partitions: Literal["keyed"]
    cleanup: Literal["delete", "compact"]
    retention: timedelta | None
    config: dict[str, int | float | str] = {}
    writers: tuple[str, ...]
    readers: tuple[str, ...]


def read_topic(file: Path, records: tuple[type[Message], ...] = RECORDS) -> Topic:
    """Read one topic's file. Raises `msgspec.ValidationError` naming what is wrong."""
    said = msgspec.yaml.decode(file.read_bytes(), type=_File)
    classes = {record.__name__: record for record in records}
    if said.message is not None and said.message not in classes:
        raise msgspec.ValidationError(f"{file.name}: no message {said.message}")
    told = msgspec.structs.asdict(said)
    message = classes[said.message] if said.message else None
    config = {name: str(value) for name, value in said.config.items()}
    return Topic(**told | {"subject": file.stem, "message": message, "config": config})
