"""The object records as they stand now, read from the compacted topic `objects`."""

from __future__ import annotations

from dataclasses import dataclass

from streams.domain.messages import ObjectRecord
from streams.operations.messages import current
from streams.operations.reading import Progress
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
    """The newest first, by their start. Raises `Outage` and `LookupError` (no such topic)."""
    found = filter(wanted.admits, await current(settings, ObjectRecord, progress=progress))
    return sorted(found, key=lambda record: (record.facts.start_time, record.object_id), reverse=True)


async def find_object(settings: Settings, object_id: str, progress: Progress | None = None) -> ObjectRecord:
    """The current record of one object. Raises `LookupError` when there is none, else as `list_objects`."""
    for record in await current(settings, ObjectRecord, key=object_id, progress=progress):
        return record
    raise LookupError(f"no object {object_id}; see: nvr-streams objects list")
