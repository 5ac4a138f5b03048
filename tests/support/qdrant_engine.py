"""Qdrant's answers without a server: the client's local engine, and what that leaves out (indexes, strict mode)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from qdrant_client import models
from qdrant_client.local.qdrant_local import QdrantLocal

T = TypeVar("T")
_RANGED = frozenset({"integer", "float", "datetime"})


@dataclass(frozen=True)
class Refusal(Exception):
    """An answer that is no success."""

    status: int
    error: str


@dataclass(frozen=True)
class _Collection:
    strict: bool
    indexes: dict[str, models.PayloadIndexInfo] = field(default_factory=dict)


class Engine:
    """One server's collections, in memory. Not safe for threads."""

    def __init__(self) -> None:
        self._local = QdrantLocal(":memory:", force_disable_check_same_thread=True)
        self._collections: dict[str, _Collection] = {}
        self._operations = count(1)
        self.refused: set[str] = set()
        """Objects whose points are refused, together with everything in the same request."""

    def collections(self) -> models.CollectionsResponse:
        return self._local.get_collections()

    def aliases(self) -> models.CollectionsAliasesResponse:
        return self._local.get_aliases()

    def change_aliases(self, body: bytes) -> bool:
        actions = _parsed(models.ChangeAliasesOperation, body).actions
        return bool(_engine(lambda: self._local.update_collection_aliases(actions)))

    def create(self, name: str, body: bytes) -> bool:
        asked = _parsed(models.CreateCollection, body)
        if name in self._collections:
            raise Refusal(409, f"Wrong input: Collection `{name}` already exists!")
        strict = asked.strict_mode_config
        self._collections[name] = _Collection(
            strict=bool(strict and strict.enabled and strict.unindexed_filtering_retrieve is False)
        )
        return bool(self._local.create_collection(name, vectors_config=asked.vectors or {}, metadata=asked.metadata))

    def info(self, name: str) -> models.CollectionInfo:
        info = self._local.get_collection(self._physical(name))
        return info.model_copy(update={"payload_schema": self._collection(name).indexes})

    def index(self, name: str, body: bytes) -> models.UpdateResult:
        asked = _parsed(models.CreateFieldIndex, body)
        schema = asked.field_schema
        kind = models.PayloadSchemaType(getattr(schema, "type", schema))
        points = self._local.count(self._physical(name)).count
        self._collection(name).indexes[asked.field_name] = models.PayloadIndexInfo(data_type=kind, points=points)
        return self._done()

    def upsert(self, name: str, body: bytes) -> models.UpdateResult:
        asked = _parsed(models.PointsList, body)
        # A server judges the condition once, against what was there before: of one id's points the last one wins.
        points = list({point.id: point for point in asked.points}.values())
        self._collection(name)
        if refused := self.refused & {str((point.payload or {}).get("object_id")) for point in points}:
            raise Refusal(400, f"Wrong input: {', '.join(sorted(refused))}")
        _engine(lambda: self._local.upsert(name, points, update_filter=asked.update_filter))
        return self._done()

    def retrieve(self, name: str, body: bytes) -> list[models.Record]:
        asked = _parsed(models.PointRequest, body)
        self._collection(name)
        with_payload = True if asked.with_payload is None else asked.with_payload
        return _engine(lambda: self._local.retrieve(name, asked.ids, with_payload, asked.with_vector or False))

    def scroll(self, name: str, body: bytes) -> models.ScrollResult:
        asked = _parsed(models.ScrollRequest, body)
        self._check_filter(name, asked.filter)
        if asked.order_by is not None:
            key = asked.order_by if isinstance(asked.order_by, str) else asked.order_by.key
            self._require(name, key, _RANGED, "order by")
        points, after = _engine(
            lambda: self._local.scroll(
                name,
                scroll_filter=asked.filter,
                limit=asked.limit or 10,
                order_by=asked.order_by,
                offset=asked.offset,
                with_payload=True if asked.with_payload is None else asked.with_payload,
                with_vectors=asked.with_vector or False,
            )
        )
        return models.ScrollResult(points=points, next_page_offset=after)

    def query(self, name: str, body: bytes) -> models.QueryResponse:
        asked = _parsed(models.QueryRequest, body)
        self._check_filter(name, asked.filter)
        query = (
            models.NearestQuery(nearest=asked.query)
            if isinstance(asked.query, list)
            else cast("models.Query | None", asked.query)
        )
        return _engine(
            lambda: self._local.query_points(
                name,
                query=query,
                using=asked.using,
                query_filter=asked.filter,
                limit=asked.limit or 10,
                with_payload=asked.with_payload or False,
                with_vectors=asked.with_vector or False,
            )
        )

    def count(self, name: str, body: bytes) -> models.CountResult:
        asked = _parsed(models.CountRequest, body)
        self._check_filter(name, asked.filter)
        return _engine(lambda: self._local.count(name, count_filter=asked.filter))

    def facet(self, name: str, body: bytes) -> models.FacetResponse:
        asked = _parsed(models.FacetRequest, body)
        self._require(name, asked.key, frozenset({"keyword", "integer", "bool"}), "faceting")
        return _engine(lambda: self._local.facet(name, asked.key, facet_filter=asked.filter, limit=asked.limit or 10))

    def _done(self) -> models.UpdateResult:
        return models.UpdateResult(operation_id=next(self._operations), status=models.UpdateStatus.COMPLETED)

    def _physical(self, name: str) -> str:
        physical = self._local.aliases.get(name, name)
        if physical not in self._collections:
            raise Refusal(404, f"Not found: Collection `{name}` doesn't exist!")
        return physical

    def _collection(self, name: str) -> _Collection:
        return self._collections[self._physical(name)]

    def _check_filter(self, name: str, asked: models.Filter | None) -> None:
        """Strict mode: everything that is filtered on has an index."""
        if self._collection(name).strict and asked is not None:
            for key, kinds in _keys(asked):
                self._require(name, key, kinds, "filtering")

    def _require(self, name: str, key: str, kinds: frozenset[str], purpose: str) -> None:
        index = self._collection(name).indexes.get(key)
        if index is None or (kinds and index.data_type.value not in kinds):
            raise Refusal(
                400, f"Bad request: Index required but not found for `{key}` ({purpose}), one of {set(kinds)}"
            )


def _keys(asked: models.Filter) -> Iterator[tuple[str, frozenset[str]]]:
    """The payload keys that a filter reads, and the kinds of index that can serve each (empty: any)."""
    for clause in (asked.must, asked.should, asked.must_not):
        for condition in clause if isinstance(clause, list) else [clause]:
            match condition:
                case models.Filter():
                    yield from _keys(condition)
                case models.FieldCondition():
                    yield condition.key, _serving(condition)
                case models.IsEmptyCondition():
                    yield condition.is_empty.key, frozenset()
                case models.IsNullCondition():
                    yield condition.is_null.key, frozenset()


def _serving(condition: models.FieldCondition) -> frozenset[str]:
    match condition.match:
        case models.MatchText():
            return frozenset({"text"})
        case models.MatchValue(value=bool()):
            return frozenset({"bool"})
        case models.MatchValue() | models.MatchAny() | models.MatchExcept():
            return frozenset({"keyword", "integer", "uuid"})
    if isinstance(condition.range, models.DatetimeRange):
        return frozenset({"datetime"})
    return frozenset({"integer", "float"})


def _parsed(kind: type[T], body: bytes) -> T:
    try:
        return TypeAdapter(kind).validate_json(body)
    except ValidationError as error:
        raise Refusal(400, f"Format error in JSON body: {error}") from error


def _engine(work: Callable[[], T]) -> T:
    """What the engine answers; its complaints are bad requests."""
    try:
        return work()
    except ValueError as error:
        raise Refusal(400, f"Wrong input: {error}") from error
