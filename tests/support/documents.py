"""Builders of documents: every part has a value that fits, a test names the ones it speaks of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.domain.messages import Document, ObjectRecord
from streams.domain.values import SECOND, Facts, FrameRef, Instant, Outcome, PictureSet, Vector

NOON: Instant = 1_764_072_000 * SECOND
"""2025-11-25T12:00:00Z."""

MODEL = "mini"


def vector(numbers: Sequence[float], *, model: str = MODEL) -> Vector:
    """A vector of these numbers, normalised."""
    values = np.asarray(numbers, dtype="<f4")
    return Vector(values=(values / np.linalg.norm(values)).tobytes(), dim=len(numbers), model=model)


def picture(uri: str = "memory:///objects/a/thumb.jpg", *, time: Instant = NOON) -> FrameRef:
    return FrameRef(uri=uri, width=500, height=500, time=time)


def document(
    object_id: str = "1764072000.123456-abc123",
    *,
    revision: int = 1,
    camera: str = "front_door",
    label: str = "person",
    sub_label: str | None = None,
    zones: tuple[str, ...] = (),
    plate: str | None = None,
    start_time: Instant = NOON,
    end_time: Instant | None = None,
    description: str | None = None,
    thumbnail: Vector | None = None,
    best: FrameRef | None = None,
    snapshot: FrameRef | None = None,
) -> Document:
    facts = Facts(
        camera=camera,
        label=label,
        sub_label=sub_label,
        zones=zones,
        recognized_license_plate=plate,
        start_time=start_time,
        end_time=end_time,
        frame_time=start_time,
        score=0.75,
        top_score=0.875,
        has_snapshot=snapshot is not None,
    )
    record = ObjectRecord(
        object_id=object_id,
        revision=revision,
        facts=facts,
        pictures=PictureSet(best=best, snapshot=snapshot),
        outcome=Outcome.DONE,
        description=description,
    )
    return Document(record=record, thumbnail=thumbnail)
