"""Questions as Qdrant takes them, and found points as hits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import msgspec
import structlog
from qdrant_client import models

from streams.domain import documents, times
from streams.domain.values import SECOND
from streams.ports import Hit, Query

Found: TypeAlias = models.ScoredPoint | models.Record


class _Stored(msgspec.Struct):
    """What a hit is made of. Points may have been edited by people, so it is checked when read."""

    object_id: str
    camera: str
    label: str
    start_time: str
    end_time: str | None = None
    sub_label: str | None = None
    zones: tuple[str, ...] = ()
    top_score: float = 0.0
    description: str | None = None
    thumbnail_url: str | None = None
    thumbnail: str | None = None


def alive(site: str) -> models.Filter:
    """Matches the objects of a site that are not deleted."""
    return models.Filter(must=[_any("site", (site,))], must_not=[_any("deleted", (True,))])


def where(query: Query, site: str) -> models.Filter:
    """The filter of a query. It goes along with the question, so that it is applied before ranking, not after."""
    listed = {
        "camera": query.cameras,
        "label": query.labels,
        "zones": query.zones,
        "sub_label": query.sub_labels,
        "plate": query.plates,
    }
    must: list[models.Condition] = [_any("site", (site,))]
    must += [_any(key, values) for key, values in listed.items() if values]
    if query.after is not None or query.before is not None:
        # Seconds as floats rather than date-times: the embedded index compares them five times faster.
        between = models.Range(gte=_seconds(query.after), lt=_seconds(query.before))
        must.append(models.FieldCondition(key="start_ts", range=between))
    return models.Filter(must=must, must_not=[_any("deleted", (True,)), *_itself(query, site)])


def hits(points: Iterable[Found]) -> list[Hit]:
    """The points as hits, in their order. One that can't be read (edited by hand) is logged and left out."""
    return list(_hits(points))


def _hits(points: Iterable[Found]) -> Iterator[Hit]:
    for point in points:
        try:
            yield _hit(point)
        except ValueError as error:  # of the shape, or of a time
            structlog.get_logger().warning("unreadable point left out", point=point.id, error=str(error))


def _hit(point: Found) -> Hit:
    stored = msgspec.convert(point.payload or {}, _Stored, strict=False)
    return Hit(
        object_id=stored.object_id,
        score=point.score if isinstance(point, models.ScoredPoint) else None,
        camera=stored.camera,
        label=stored.label,
        sub_label=stored.sub_label,
        zones=stored.zones,
        start_time=times.instant(stored.start_time),
        end_time=None if stored.end_time is None else times.instant(stored.end_time),
        top_score=stored.top_score,
        description=stored.description,
        thumbnail=stored.thumbnail_url or stored.thumbnail,
    )


def _any(key: str, values: Sequence[str | bool]) -> models.FieldCondition:
    match = models.MatchValue(value=values[0]) if len(values) == 1 else models.MatchAny(any=list(map(str, values)))
    return models.FieldCondition(key=key, match=match)


def _itself(query: Query, site: str) -> list[models.HasIdCondition]:
    return [] if query.like is None else [models.HasIdCondition(has_id=[documents.point_id(site, query.like)])]


def _seconds(instant: int | None) -> float | None:
    return None if instant is None else instant / SECOND
