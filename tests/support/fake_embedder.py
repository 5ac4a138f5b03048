"""The in-memory twin of the port `Embedder`."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import numpy as np

from streams.ports import Floats, Image


class FakeEmbedder:
    """Vectors that depend on the content alone: equal pictures and equal texts have equal ones, others differ."""

    def __init__(self, *, model: str = "mini", dim: int = 8) -> None:
        self.model, self.dim = model, dim
        self.pictures = 0
        self.texts: list[str] = []
        """What was asked for."""
        self.failure: Exception | None = None
        """What every call raises while it is set."""

    async def embed_picture(self, picture: Image) -> Floats:
        self.pictures += 1
        return self._vector(lambda: repr(picture.shape).encode() + picture.tobytes())

    async def embed_text(self, text: str) -> Floats:
        self.texts.append(text)
        return self._vector(lambda: text.encode(errors="replace"))

    def _vector(self, content: Callable[[], bytes]) -> Floats:
        if self.failure is not None:
            raise self.failure
        seed = int.from_bytes(sha256(content()).digest()[:8], "little")
        vector = np.random.default_rng(seed).standard_normal(self.dim)
        return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)
