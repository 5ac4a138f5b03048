"""The few verbs that agents need from the outside world. Each has an in-memory twin (`tests/support/fake_*.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streams.domain.cameras import Camera
from streams.domain.messages import Document
from streams.domain.values import Box, FrameRef, Instant

Image = NDArray[np.uint8]
"""A picture: uint8, shape (height, width, 3), BGR."""

Floats = NDArray[np.float32]


class Pictures(Protocol):
    """Pictures in the external store.

    Every verb raises `Gone` (the picture no longer exists), `Poison` (it cannot be read, is too large, or lies outside
    the configured stores) or `Outage` (the store does not answer).
    """

    async def load(self, ref: FrameRef) -> Image:
        """The decoded picture. Shared by everyone who asks within the same seconds: read-only."""
        ...

    async def cut(self, frame: FrameRef, region: Box, *, name: str, height: int | None = None) -> FrameRef:
        """Cut `region` (clipped to the frame) out of `frame` and keep it as a JPEG named `name`.

        With `height` it is resized to that many pixels, keeping the aspect (area interpolation). The same call twice
        keeps one picture. `name` is a relative path such as `objects/<id>/<time>.jpg`.
        """
        ...

    async def remove(self, prefix: str) -> int:
        """Remove all pictures of ours whose name starts with `prefix`; returns how many there were."""
        ...

    def public_url(self, ref: FrameRef) -> str | None:
        """An absolute http(s) URL that a person's browser can open, or None when the store offers none."""
        ...


class Embedder(Protocol):
    """Pictures and words in one vector space: float32 vectors of `dim`, L2-normalised. Raises `Outage`."""

    @property
    def model(self) -> str:
        """Name of the model, stamped on every vector."""
        ...

    @property
    def dim(self) -> int: ...

    async def embed_picture(self, picture: Image) -> Floats: ...

    async def embed_text(self, text: str) -> Floats: ...


MAX_HITS = 1000
"""The most hits of one query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to look for. Filters are applied inside the index, before ranking; empty means any."""

    vector: Floats | None = None
    like: str | None = None
    """Object id whose thumbnail vector is the question."""
    cameras: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    sub_labels: tuple[str, ...] = ()
    plates: tuple[str, ...] = ()
    after: Instant | None = None
    before: Instant | None = None
    limit: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One found object. `score` is the cosine similarity (None: nothing was ranked, newest first)."""

    object_id: str
    score: float | None
    camera: str
    label: str
    sub_label: str | None
    zones: tuple[str, ...]
    start_time: Instant
    end_time: Instant | None
    top_score: float
    description: str | None
    thumbnail: str | None
    """Where the picture is: a URL for people where the store has one, else the store's own URI."""


class Index(Protocol):
    """The vector index. Raises `Outage` (busy, down, full), `Poison` (this document is refused)."""

    async def put(self, document: Document) -> None:
        """Store a document; an older revision never replaces a newer one. Returns when it is durable."""
        ...

    async def bury(self, object_id: str, revision: int) -> None:
        """Replace the object by a kept tombstone, so that no late document brings it back."""
        ...

    async def search(self, query: Query) -> list[Hit]:
        """The best hits first. Raises `LookupError` when `query.like` names an object that has no vector."""
        ...

    async def count(self) -> int:
        """How many objects can be found (tombstones not counted)."""
        ...


class Cameras(Protocol):
    """Read-only view of the broadcast topic `cameras`."""

    def get(self, name: str) -> Camera | None:
        """The camera's configuration: the defaults for one never heard of, None for a removed one."""
        ...

    def all(self) -> tuple[Camera, ...]: ...
