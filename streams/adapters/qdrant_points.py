"""Points as they are written: made from documents, checked before they travel, guarded by their version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from qdrant_client import models

from streams.domain import documents
from streams.domain.documents import Payload, PublicUrl
from streams.domain.errors import Poison
from streams.domain.messages import Document
from streams.domain.values import Vector

THUMBNAIL, DESCRIPTION = "thumbnail", "description"

# Qdrant takes requests of up to 32 MB; what follows are generous estimates of the JSON that a point becomes.
MAX_BYTES = 24 * 1024 * 1024
_BYTES_PER_NUMBER = 24
_BYTES_PER_POINT = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The vector space of a collection: which model makes the vectors, and how many numbers each has.

    0 numbers: no vectors are made (embedding is off), objects are found by filters.
    """

    model: str
    dim: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A whole point: it replaces what is stored under its id, unless that is newer."""

    id: str
    version: int
    vectors: Mapping[str, Sequence[float]]
    payload: Payload
    deleted: bool = False

    @property
    def bound(self) -> int:
        """The stored version has to be lower than this. A tombstone replaces its equal, a document doesn't."""
        return self.version + 1 if self.deleted else self.version

    @property
    def size(self) -> int:
        """About how many bytes it takes on the wire."""
        numbers = sum(map(len, self.vectors.values()))
        return len(msgspec.json.encode(self.payload)) + _BYTES_PER_NUMBER * numbers + _BYTES_PER_POINT

    def struct(self) -> models.PointStruct:
        vectors = {name: list(values) for name, values in self.vectors.items()}
        return models.PointStruct(id=self.id, vector=vectors, payload=self.payload)


def point_of(document: Document, space: Space, *, site: str, public_url: PublicUrl) -> Point:
    """The point of a document. Raises `Poison` when a vector is not of this space."""
    named = {THUMBNAIL: document.thumbnail, DESCRIPTION: document.description}
    return Point(
        id=documents.point_id(site, document.key),
        version=document.record.revision,
        vectors={name: _numbers(name, vector, space) for name, vector in named.items() if vector is not None},
        payload=documents.payload(document, site=site, public_url=public_url),
    )


def tombstone_of(object_id: str, revision: int, *, site: str) -> Point:
    return Point(
        id=documents.point_id(site, object_id),
        version=revision,
        vectors={},
        payload=documents.tombstone(object_id, revision, site=site),
        deleted=True,
    )


def newest(points: Iterable[Point]) -> list[Point]:
    """The newest of each id: Qdrant judges a condition once per request, so that of two equals the last would win."""
    ranked = sorted(points, key=lambda point: (point.version, point.deleted))
    return list({point.id: point for point in ranked}.values())


def loads(points: Iterable[Point], *, limit: int = MAX_BYTES) -> Iterator[list[Point]]:
    """The points in requests of at most `limit` bytes; a single one that is larger travels alone."""
    load: list[Point] = []
    size = 0
    for point in points:
        more = point.size
        if load and size + more > limit:
            yield load
            load, size = [], 0
        load.append(point)
        size += more
    if load:
        yield load


def older(points: Iterable[Point]) -> models.Filter:
    """Matches the stored points that these may replace: one clause per point, for each has its own version."""
    return models.Filter(should=[_replaceable(point) for point in points])


def _replaceable(point: Point) -> models.Filter:
    return models.Filter(
        must=[
            models.HasIdCondition(has_id=[point.id]),
            models.Filter(
                should=[
                    models.FieldCondition(key="version", range=models.Range(lt=point.bound)),
                    models.IsEmptyCondition(is_empty=models.PayloadField(key="version")),
                ]
            ),
        ]
    )


def _numbers(name: str, vector: Vector, space: Space) -> list[float]:
    if vector.model != space.model:
        raise Poison("wrong vector", f"{name} was made by {vector.model}, the collection holds {space.model}")
    if vector.dim != space.dim:
        raise Poison("wrong vector", f"{name} has {vector.dim} numbers, the collection takes {space.dim}")
    if len(vector.values) != 4 * vector.dim:
        raise Poison("wrong vector", f"{name} has {len(vector.values)} bytes for {vector.dim} numbers of 4")
    numbers = np.frombuffer(vector.values, dtype="<f4")
    if not np.isfinite(numbers).all():
        raise Poison("wrong vector", f"{name} has infinite or undefined numbers")
    return list(map(float, numbers))
