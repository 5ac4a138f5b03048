"""The object records as they stand now, read from the compacted topic `objects`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streams.domain.messages import ObjectRecord
from streams.operations.decoding import decoder
from streams.operations.reading import Progress, Record, whole
from streams.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which objects; empty means any."""

    cameras: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()

    def admits(self, record: ObjectRecord) -> bool:
        facts = record.facts
        return (not self.cameras or facts.camera in self.cameras) and (not self.labels or facts.label in self.labels)


async def list_objects(settings: Settings, wanted: Wanted, progress: Progress | None = None) -> list[ObjectRecord]:
    """The newest first, by their start. Raises `Outage`, `LookupError` (no such topic) and `Poison`."""
    with decoder(settings) as reader:
        latest = newest(whole(settings.kafka, reader.topic_of(ObjectRecord), progress))
        messages = [await reader.decode(record) for record in latest]
    found = [message for message in messages if isinstance(message, ObjectRecord) and wanted.admits(message)]
    return sorted(found, key=lambda record: (record.facts.start_time, record.object_id), reverse=True)


async def find_object(settings: Settings, object_id: str, progress: Progress | None = None) -> ObjectRecord:
    """The current record of one object. Raises `LookupError` when there is none, else as `list_objects`."""
    key = object_id.encode()
    with decoder(settings) as reader:
        topic = reader.topic_of(ObjectRecord)
        mine = newest(record for record in whole(settings.kafka, topic, progress) if record.key == key)
        messages = [await reader.decode(record) for record in mine]
    for message in messages:
        if isinstance(message, ObjectRecord):
            return message
    raise LookupError(f"no object {object_id}; see: nvr-streams objects list")


def newest(records: Iterable[Record]) -> list[Record]:
    """The last record of each key; a key whose last record is a tombstone is gone. Records without key count for nothing."""
    last = {record.key: record for record in records if record.key is not None}
    return [record for record in last.values() if record.value is not None]
