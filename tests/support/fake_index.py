"""The index in memory: a dictionary with revisions, filters in Python and cosine similarity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.domain.messages import Document
from streams.domain.values import Facts, Vector
from streams.ports import Floats, Hit, Query


@dataclass(frozen=True)
class _Entry:
    revision: int
    document: Document | None
    """None: a tombstone."""


class FakeIndex:
    """`ports.Index` without anything outside."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    @property
    def documents(self) -> dict[str, Document]:
        """What can be found, by object id."""
        return {key: entry.document for key, entry in self._entries.items() if entry.document is not None}

    @property
    def buried(self) -> set[str]:
        """The objects that a tombstone stands for."""
        return {key for key, entry in self._entries.items() if entry.document is None}

    async def put(self, document: Document) -> None:
        self._replace(document.key, _Entry(document.record.revision, document), below=document.record.revision)

    async def bury(self, object_id: str, revision: int) -> None:
        self._replace(object_id, _Entry(revision, None), below=revision + 1)

    async def search(self, query: Query) -> list[Hit]:
        question = self._question(query)
        found = [document for document in self.documents.values() if _matches(query, document)]
        if question is None:
            newest_first = sorted(found, key=lambda document: -document.record.facts.start_time)
            return [_hit(document, None) for document in newest_first[: query.limit]]
        ranked = [
            _hit(document, float(question @ numbers(document.thumbnail))) for document in found if document.thumbnail
        ]
        return sorted(ranked, key=lambda hit: -(hit.score or 0.0))[: query.limit]

    async def count(self) -> int:
        return len(self.documents)

    def _replace(self, object_id: str, entry: _Entry, *, below: int) -> None:
        stored = self._entries.get(object_id)
        if stored is None or stored.revision < below:
            self._entries[object_id] = entry

    def _question(self, query: Query) -> Floats | None:
        if query.like is None:
            return query.vector
        document = self.documents.get(query.like)
        if document is None or document.thumbnail is None:
            raise LookupError(f"no object {query.like} with a picture in the index")
        return numbers(document.thumbnail)


def numbers(vector: Vector) -> Floats:
    """A vector's numbers: float32, shape (dim,)."""
    return np.frombuffer(vector.values, dtype="<f4")


def _matches(query: Query, document: Document) -> bool:
    facts = document.record.facts
    return (
        document.key != query.like
        and _one_of(query.cameras, facts.camera)
        and _one_of(query.labels, facts.label)
        and _one_of(query.sub_labels, facts.sub_label)
        and _one_of(query.plates, facts.recognized_license_plate)
        and (not query.zones or not set(query.zones).isdisjoint(facts.zones))
        and _between(query, facts)
    )


def _one_of(wanted: tuple[str, ...], value: str | None) -> bool:
    return not wanted or value in wanted


def _between(query: Query, facts: Facts) -> bool:
    after = query.after is None or facts.start_time >= query.after
    return after and (query.before is None or facts.start_time < query.before)


def _hit(document: Document, score: float | None) -> Hit:
    record, facts = document.record, document.record.facts
    return Hit(
        object_id=record.object_id,
        score=score,
        camera=facts.camera,
        label=facts.label,
        sub_label=facts.sub_label,
        zones=facts.zones,
        start_time=facts.start_time,
        end_time=facts.end_time,
        top_score=facts.top_score,
        description=record.description,
        thumbnail=None if record.pictures.best is None else record.pictures.best.uri,
    )
