"""What an object's vectors are made of, and when they have to be made anew."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from streams.domain.messages import Document, ObjectRecord
from streams.domain.values import FrameRef, Outcome, PictureSet, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """An object that has a document."""

    revision: int
    picture: FrameRef | None = None
    """The record's best picture when the thumbnail's vector was made."""
    thumbnail: Vector | None = None
    text: str | None = None
    """Digest of the text that the description's vector was made of."""
    description: Vector | None = None


def is_due(known: Embedded | None, record: ObjectRecord) -> bool:
    """Whether a record calls for a document: it has ended, and is newer than the one of the last document."""
    return record.outcome is not Outcome.OPEN and (known is None or record.revision > known.revision)


def candidates(pictures: PictureSet) -> tuple[FrameRef, ...]:
    """The pictures that may stand for the object: the best, then the newest thumbnails, then the snapshot."""
    ordered = (pictures.best, *reversed(pictures.thumbnails), pictures.snapshot)
    return tuple(dict.fromkeys(picture for picture in ordered if picture))


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def document(record: ObjectRecord, known: Embedded) -> Document:
    return Document(record=record, thumbnail=known.thumbnail, description=known.description)
