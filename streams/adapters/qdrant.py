"""The vector index in Qdrant: one point per object, whole, guarded by its revision."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from qdrant_client import models

from streams.adapters.batching import Batcher
from streams.adapters.qdrant_link import Link, connect
from streams.adapters.qdrant_points import THUMBNAIL, Point, Space, loads, newest, point_of, tombstone_of
from streams.adapters.qdrant_query import Found, alive, hits, where
from streams.adapters.qdrant_schema import INDEXES, Plan, model_of, prepare
from streams.domain.documents import PublicUrl, point_id
from streams.domain.errors import Outage, Poison, SettingsError
from streams.domain.messages import Document
from streams.ports import MAX_HITS, Hit, Query
from streams.settings import Index as IndexSettings

# Long enough for the lanes of one agent to meet, short beside the write itself (10 to 30 ms).
_LINGER = 0.005


@asynccontextmanager
async def open_index(
    settings: IndexSettings, *, site: str, space: Space, public_url: PublicUrl
) -> AsyncIterator[QdrantIndex]:
    """The index, ready for use: collection, payload indexes and alias are made when missing.

    Raises `SettingsError` when the server or what it holds doesn't fit, `Outage` when it doesn't answer.
    """
    async with connect(settings) as link:
        indexes = {} if link.embedded else INDEXES  # the embedded index has none, and warns of each
        plan = Plan(alias=settings.collection, space=space, site=site, indexes=indexes)
        physical = await link.run(lambda client: prepare(client, plan))
        index = QdrantIndex(link, plan, physical, public_url=public_url, batch=settings.batch)
        try:
            yield index
        finally:
            await index.close()


class QdrantIndex:
    """`ports.Index` over one collection. Concurrent writes are gathered into few requests."""

    def __init__(self, link: Link, plan: Plan, physical: str, *, public_url: PublicUrl, batch: int) -> None:
        self._link, self._plan, self._physical, self._public_url = link, plan, physical, public_url
        self._writes: Batcher[Point, None] = Batcher(self._write, limit=batch, linger=_LINGER)

    @property
    def collection(self) -> str:
        """The physical collection that is written to."""
        return self._physical

    async def put(self, document: Document) -> None:
        await self._writes(point_of(document, self._plan.space, site=self._plan.site, public_url=self._public_url))

    async def bury(self, object_id: str, revision: int) -> None:
        await self._writes(tombstone_of(object_id, revision, site=self._plan.site))

    async def search(self, query: Query) -> list[Hit]:
        """The best hits first, at most 1,000; newest first where neither a vector nor an object is asked for.

        Raises `LookupError` when `query.like` names an object that has no vector, and `SettingsError` when the
        collection behind the alias holds vectors of another model than the query's.
        """
        if query.like is not None:
            return hits(await self._nearest(query, await self._vector_of(query.like)))
        if query.vector is not None:
            await self._check_serving()
            return hits(await self._nearest(query, query.vector.tolist()))
        return hits(await self._latest(query))

    async def count(self) -> int:
        counted = await self._link.run(
            lambda client: client.count(self._plan.alias, count_filter=alive(self._plan.site), exact=True)
        )
        return counted.count

    async def close(self) -> None:
        """Finish the writes that wait; the link is its owner's."""
        await self._writes.close()

    async def _write(self, points: list[Point]) -> list[Exception | None]:
        """One outcome per point; one that a newer one of the same batch replaces shares the newer one's."""
        outcomes: dict[str, Exception | None] = {}
        for load in loads(newest(points)):
            outcomes |= await self._store(load)
        return [outcomes[point.id] for point in points]

    async def _store(self, points: list[Point]) -> dict[str, Exception | None]:
        """Write; when the request is refused, halve it until the refused point stands alone."""
        try:
            await self._link.write(self._physical, points)
        except Outage as outage:
            return dict.fromkeys((point.id for point in points), outage)
        except Poison as poison:
            if len(points) == 1:
                return {points[0].id: Poison(poison.reason, f"{points[0].payload['object_id']}: {poison.detail}")}
            middle = len(points) // 2
            return await self._store(points[:middle]) | await self._store(points[middle:])
        return dict.fromkeys(point.id for point in points)

    async def _nearest(self, query: Query, vector: list[float]) -> Sequence[Found]:
        response = await self._link.run(
            lambda client: client.query_points(
                self._plan.alias,
                query=vector,
                using=THUMBNAIL,
                query_filter=where(query, self._plan.site),
                limit=min(query.limit, MAX_HITS),
                with_payload=True,
            )
        )
        return response.points

    async def _latest(self, query: Query) -> Sequence[Found]:
        records, _ = await self._link.run(
            lambda client: client.scroll(
                self._plan.alias,
                scroll_filter=where(query, self._plan.site),
                order_by=models.OrderBy(key="start_ts", direction=models.Direction.DESC),
                limit=min(query.limit, MAX_HITS),
                with_payload=True,
            )
        )
        return records

    async def _vector_of(self, object_id: str) -> list[float]:
        found = await self._link.run(
            lambda client: client.retrieve(
                self._plan.alias, [point_id(self._plan.site, object_id)], with_payload=False, with_vectors=[THUMBNAIL]
            )
        )
        if not (vector := _thumbnail(found)):
            raise LookupError(f"no object {object_id} with a picture in the index")
        return vector

    async def _check_serving(self) -> None:
        """The alias may have been moved to another model's collection while this process ran."""
        info = await self._link.run(lambda client: client.get_collection(self._plan.alias))
        model = model_of(info.config)
        if model != self._plan.space.model:
            raise SettingsError(
                f"index.collection: {self._plan.alias} now serves vectors of {model!r}, "
                f"and the question was embedded by {self._plan.space.model!r}"
            )


def _thumbnail(records: Sequence[models.Record]) -> list[float]:
    """The thumbnail vector of the only record; empty where there is none."""
    vectors = records[0].vector if records else None
    vector = vectors.get(THUMBNAIL) if isinstance(vectors, dict) else None
    return [number for number in vector if isinstance(number, int | float)] if isinstance(vector, list) else []
