"""Turns ended objects into documents: the object record plus a vector of its picture and one of its description."""

from __future__ import annotations

from dataclasses import dataclass, replace

from streams.domain.agent import Agent, Step
from streams.domain.embedding import Embedded, candidates, digest, document, is_due
from streams.domain.errors import Gone, Poison
from streams.domain.messages import Document, Message, ObjectRecord, Tombstone
from streams.domain.values import FrameRef, Instant, PictureSet, Vector
from streams.ports import Cameras, Embedder, Floats, Image, Pictures


def embed(*, model: str, embedder: Embedder | None, pictures: Pictures, cameras: Cameras) -> Agent[Embedded]:
    """Object records become documents of one embedding model.

    Vectors are made only when picture or text changed; a document is published for every new version of the record.
    Without an embedder, or where semantic search is off for the camera, documents carry no vectors.
    """
    vectors = _Vectors(model=model, embedder=embedder, pictures=pictures)

    async def handle(state: Embedded | None, message: Message, at: Instant) -> Step[Embedded]:
        if isinstance(message, Tombstone):
            return Step(None, (Tombstone(of=Document, name=message.key, at=at),))
        if not isinstance(message, ObjectRecord) or not is_due(state, message):
            return Step(state)
        camera = cameras.get(message.facts.camera)
        wanted = camera is None or camera.semantic_search.enabled  # what a removed camera saw stays searchable
        known = replace(state or Embedded(revision=0), revision=message.revision)
        known = await vectors.renewed(known, message) if wanted else Embedded(revision=message.revision)
        return Step(known, (document(message, known),))

    return Agent(
        name=f"embed-{model}",
        consumes=(ObjectRecord,),
        produces=(Document,),
        state=(Embedded,),
        handle=handle,
        model=model,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vectors:
    model: str
    embedder: Embedder | None
    pictures: Pictures

    async def renewed(self, known: Embedded, record: ObjectRecord) -> Embedded:
        if self.embedder is None:
            return Embedded(revision=known.revision)
        if known.picture != record.pictures.best:
            thumbnail = await self._of_picture(self.embedder, record.pictures)
            known = replace(known, picture=record.pictures.best, thumbnail=thumbnail)
        text = digest(record.description) if record.description else None
        if known.text != text:
            description = await self._of_text(self.embedder, record.description)
            known = replace(known, text=text, description=description)
        return known

    async def _of_picture(self, embedder: Embedder, pictures: PictureSet) -> Vector | None:
        for candidate in candidates(pictures):
            image = await self._readable(candidate)
            if image is not None:
                return self._vector(await embedder.embed_picture(image))
        return None

    async def _of_text(self, embedder: Embedder, text: str | None) -> Vector | None:
        return self._vector(await embedder.embed_text(text)) if text else None

    async def _readable(self, picture: FrameRef) -> Image | None:
        """The picture, or None where it is gone or broken: the object's next one stands in for it."""
        try:
            return await self.pictures.load(picture)
        except (Gone, Poison):
            return None

    def _vector(self, values: Floats) -> Vector:
        return Vector(values=values.astype("<f4").tobytes(), dim=values.size, model=self.model)
