"""The two halves of a CLIP-shaped model: pictures and texts as the graph wants them, and its output as vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import cv2
import numpy as np
from tokenizers import Tokenizer

from streams.adapters.onnx import RUN_ERRORS, Array, Graph, Session, Tensor
from streams.domain.errors import Poison, SettingsError
from streams.ports import Floats, Image
from streams.settings import Embedding

In = TypeVar("In")
Item_contra = TypeVar("Item_contra", contravariant=True)

IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"
_TEXT_INPUTS = (IDS, MASK, TYPES)

_DUMMY_TOKENS = 16
"""Tokens of a text that is not there, for a graph that holds both towers (what Frigate feeds Jina CLIP v2)."""

_STEADY = 1e-5
"""Largest difference of a vector's elements between being computed alone and in a batch."""

_PIXEL_RANK = 4
_VECTOR_RANK = 2


class Encoder(Protocol[Item_contra]):
    """Makes the inputs of one tower."""

    output: str

    def feeds(self, items: Sequence[Item_contra]) -> Mapping[str, Array]: ...


class Tower(Generic[In]):
    """One tower, tried out: `dim` of its vectors, and how many items it may take at a time.

    Quantised graphs may give a picture another vector in another batch (their scales are taken from the whole batch):
    such a graph, or one whose batch is fixed, gets its items one by one.
    """

    def __init__(self, session: Session, encoder: Encoder[In], samples: tuple[In, In], *, batch: int) -> None:
        """`samples` are two different items. Raises `SettingsError`: the graph gives no usable vector."""
        self._encoder = encoder
        alone = [_usable(self.embed(session, [sample])[0], session.graph) for sample in samples]
        self.dim = int(alone[0].size)
        self.batch = batch if batch > 1 and self._is_steady(session, samples, alone) else 1

    def embed(self, session: Session, items: Sequence[In]) -> list[Floats | Poison]:
        """One vector per item, float32 of `dim`, L2-normalised; `Poison` (`bad vector`) where that cannot be."""
        (rows,) = session.run(self._encoder.feeds(items), [self._encoder.output])
        if len(rows) != len(items):
            raise ValueError(f"{len(items)} items gave {len(rows)} vectors")
        return [normalised(row) for row in rows]

    def _is_steady(self, session: Session, samples: tuple[In, In], alone: Sequence[Floats]) -> bool:
        try:
            together = self.embed(session, samples)
        except RUN_ERRORS:
            return False
        return all(
            isinstance(vector, np.ndarray) and float(np.abs(vector - single).max()) <= _STEADY
            for vector, single in zip(together, alone, strict=True)
        )


class PictureEncoder:
    """Pictures as normalised RGB planes, float [N, 3, side, side]."""

    def __init__(self, graph: Graph, settings: Embedding) -> None:
        """Raises `SettingsError` naming what the graph has, where that does not fit."""
        self._pixels = _pixels(graph)
        self._side, self._squash = settings.image_size, settings.resize == "squash"
        self._mean, self._std = (np.array(values, np.float32) for values in (settings.mean, settings.std))
        self._dummies = _dummies(graph, known=(self._pixels.name, *_TEXT_INPUTS))
        self.output = _output(graph, settings.image_output, setting="embedding.image_output")
        if self._pixels.shape[2:] not in {(None, None), (self._side, self._side)}:
            raise SettingsError(f"embedding.image_size: {self._side} does not fit; {graph}")

    def feeds(self, items: Sequence[Image]) -> Mapping[str, Array]:
        pixels = np.stack([self._prepare(picture) for picture in items])
        return {self._pixels.name: pixels} | {
            tensor.name: np.full((len(items), _DUMMY_TOKENS), tensor.name == MASK, np.int64) for tensor in self._dummies
        }

    def _prepare(self, picture: Image) -> Array:
        height, width = picture.shape[:2]
        if not self._squash:
            side = min(height, width)
            top, left = (height - side) // 2, (width - side) // 2
            picture = picture[top : top + side, left : left + side]
        square = cv2.resize(picture, (self._side, self._side), interpolation=cv2.INTER_AREA)
        rgb = cv2.cvtColor(square, cv2.COLOR_BGR2RGB).astype(np.float32) / np.float32(255)
        return np.asarray((rgb - self._mean) / self._std).transpose(2, 0, 1)


class TextEncoder:
    """Texts as token ids, int [N, T], padded to the longest of the batch. The tokenizer is this object's alone."""

    def __init__(self, graph: Graph, settings: Embedding, tokenizer: Tokenizer) -> None:
        """Raises `SettingsError` naming what the graph has, where that does not fit."""
        names = {tensor.name for tensor in graph.inputs}
        if IDS not in names:
            raise SettingsError(f"embedding.text_model: no input {IDS}; {graph}")
        self._names = tuple(name for name in _TEXT_INPUTS if name in names)
        self._pixels = next((tensor for tensor in graph.inputs if _is_pixels(tensor)), None)
        _dummies(graph, known=(*_TEXT_INPUTS, self._pixels.name if self._pixels else ""))
        self._side = settings.image_size
        self.output = _output(graph, settings.text_output, setting="embedding.text_output")
        self._pad = int((tokenizer.padding or {}).get("pad_id", 0))
        tokenizer.no_padding()
        tokenizer.enable_truncation(settings.max_tokens)
        self._tokenizer = tokenizer

    def feeds(self, items: Sequence[str]) -> Mapping[str, Array]:
        # One by one: a batch would be spread over threads of the tokenizer's own.
        rows = [self._tokenizer.encode(text.encode(errors="replace").decode()).ids for text in items]
        ids = np.full((len(rows), max(map(len, rows))), self._pad, np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
        known = {IDS: ids, MASK: mask, TYPES: np.zeros_like(ids)}
        feeds: dict[str, Array] = {name: known[name] for name in self._names}
        if self._pixels is not None:
            feeds[self._pixels.name] = np.zeros((len(rows), 3, self._side, self._side), np.float32)
        return feeds


def open_tokenizer(file: Path) -> Tokenizer:
    """Read a Hugging Face `tokenizer.json`. Raises `SettingsError`."""
    try:
        return Tokenizer.from_buffer(file.read_bytes())
    except ValueError as error:
        raise SettingsError(f"embedding.tokenizer: {file} cannot be used: {error}") from error


def normalised(row: Array) -> Floats | Poison:
    """The vector at unit length, float32; one that has no direction is no vector."""
    vector = row.astype(np.float32)
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if not np.isfinite(length) or length == 0:
        return Poison("bad vector", f"the model gave a vector of length {length}")
    return np.asarray(vector / np.float32(length), dtype=np.float32)


def _usable(vector: Floats | Poison, graph: Graph) -> Floats:
    if isinstance(vector, Poison):
        raise SettingsError(f"{vector.detail} for a sample; {graph}")
    return vector


def _is_pixels(tensor: Tensor) -> bool:
    return tensor.is_float and len(tensor.shape) == _PIXEL_RANK


def _pixels(graph: Graph) -> Tensor:
    found = [tensor for tensor in graph.inputs if _is_pixels(tensor)]
    if len(found) != 1:
        raise SettingsError(f"embedding.vision_model: needs one float input [N, 3, H, W]; {graph}")
    return found[0]


def _dummies(graph: Graph, *, known: Sequence[str]) -> list[Tensor]:
    """The inputs that belong to the other tower; one that belongs to neither cannot be filled."""
    if unknown := [tensor for tensor in graph.inputs if tensor.name not in known]:
        raise SettingsError(f"embedding: nothing is known about the input {unknown[0]}; {graph}")
    return [tensor for tensor in graph.inputs if tensor.name in _TEXT_INPUTS]


def _output(graph: Graph, wanted: str, *, setting: str) -> str:
    """The output that holds the vectors: the named one, or with `auto` the only 2-D float one."""
    if wanted != "auto":
        if wanted not in {tensor.name for tensor in graph.outputs}:
            raise SettingsError(f"{setting}: no output {wanted!r}; {graph}")
        return wanted
    fitting = [tensor for tensor in graph.outputs if tensor.is_float and len(tensor.shape) == _VECTOR_RANK]
    if len(fitting) != 1:
        raise SettingsError(f"{setting}: not one 2-D float output but {len(fitting)}, so name it; {graph}")
    return fitting[0].name
