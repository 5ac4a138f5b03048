"""What the index holds about one object: the point's id, and the flat payload that people filter and look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias
from uuid import UUID, uuid5

from streams.domain.messages import Document
from streams.domain.times import calendar, rfc3339
from streams.domain.values import SECOND, FrameRef, Instant, Vector

Scalar: TypeAlias = str | int | float | bool | None
Payload: TypeAlias = dict[str, Scalar | list[str]]
PublicUrl: TypeAlias = Callable[[FrameRef], str | None]
"""Where a person's browser finds a picture; None when the store offers no such address."""

# Drawn once. Another value would give every object a second point beside its first.
_NAMESPACE = UUID("8487b5d2-e7f5-406b-9e6f-1f4d0a77191a")


def point_id(site: str, object_id: str) -> str:
    """The UUIDv5 of the point that holds this object: the same object of the same site always hits the same point."""
    return str(uuid5(_NAMESPACE, f"{site}/{object_id}"))


def payload(document: Document, *, site: str, public_url: PublicUrl) -> Payload:
    """The payload of a document's point: one flat level, because dashboards filter and draw top-level values only.

    Times are RFC 3339 in UTC with microseconds, and so are `date`, `hour` and `weekday`. A name that is not known is
    an explicit null, which people can search for. Raises `Poison` for a time that no calendar has.
    """
    record, facts = document.record, document.record.facts
    return {
        "object_id": record.object_id,
        "site": site,
        "camera": facts.camera,
        "label": facts.label,
        "sub_label": facts.sub_label,
        "zone": facts.zones[0] if facts.zones else None,
        "zones": list(facts.zones),
        **_start(facts.start_time),
        "end_time": None if facts.end_time is None else rfc3339(facts.end_time),
        "score": facts.score,
        "top_score": facts.top_score,
        "has_clip": facts.has_clip,
        "has_snapshot": facts.has_snapshot,
        "description": record.description,
        "plate": facts.recognized_license_plate,
        **_picture("thumbnail", record.pictures.best, public_url),
        **_picture("snapshot", record.pictures.snapshot, public_url),
        "model_thumbnail": _model(document.thumbnail),
        "model_description": _model(document.description),
        "source": facts.source.value,
        "outcome": record.outcome.value,
        "version": record.revision,
        "deleted": False,
    }


def tombstone(object_id: str, revision: int, *, site: str) -> Payload:
    """The payload of the point that stays when an object is deleted, so that no late document brings it back."""
    return {"object_id": object_id, "site": site, "version": revision, "deleted": True}


def _start(start_time: Instant) -> Payload:
    """When it began, once for each way to ask: ranges (`start_time`, `start_ts` in seconds) and single values."""
    began = calendar(start_time)
    return {
        "date": began.date().isoformat(),
        "hour": began.hour,
        "weekday": ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")[began.weekday()],
        "start_time": rfc3339(start_time),
        "start_ts": start_time / SECOND,
    }


def _picture(name: str, ref: FrameRef | None, public_url: PublicUrl) -> Payload:
    """A picture's public address, which dashboards draw; where there is none, the store's own, which tools can use."""
    url = None if ref is None else public_url(ref)
    if ref is None or url is not None:
        return {f"{name}_url": url}
    return {f"{name}_url": None, name: ref.uri}


def _model(vector: Vector | None) -> str | None:
    return None if vector is None else vector.model
