"""Search as people and programs ask for it: a request, its form in a query string, and what answers it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec

from streams.domain import times
from streams.domain.errors import SettingsError
from streams.domain.values import Instant
from streams.ports import MAX_HITS, Embedder, Hit, Index, Query

_LISTS = {"camera": "cameras", "label": "labels", "zone": "zones", "sub-label": "sub_labels", "plate": "plates"}
_SINGLE = ("text", "like", "after", "before", "limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest(Query):
    """A query whose question may be put in words instead. Raises `ValueError` where its parts don't fit together."""

    text: str | None = None

    def __post_init__(self) -> None:
        if self.text and self.like:
            raise ValueError("a text and an object to be like: one of them")
        if not 1 <= self.limit <= MAX_HITS:
            raise ValueError(f"limit: {self.limit} is not between 1 and {MAX_HITS}")
        if self.after is not None and self.before is not None and self.after >= self.before:
            raise ValueError("after has to be earlier than before")

    @property
    def ranked(self) -> bool:
        """Whether hits come by similarity; else the newest come first."""
        return bool(self.text or self.like)


class Search:
    """Answers requests from an index; words become a vector first."""

    def __init__(self, index: Index, embedder: Embedder | None) -> None:
        self._index, self._embedder = index, embedder

    async def run(self, request: SearchRequest) -> list[Hit]:
        """The hits, best first. Raises `LookupError` (no such object to be like), `SettingsError` or `Outage`."""
        if not request.text:
            return await self._index.search(request)
        if self._embedder is None:
            raise SettingsError("embedding.enabled is false: objects are found by filters, not by words")
        return await self._index.search(replace(request, vector=await self._embedder.embed_text(request.text)))

    async def count(self) -> int:
        """How many objects can be found."""
        return await self._index.count()

    async def answer(self, parameters: Mapping[str, tuple[str, ...]]) -> list[Hit]:
        """The hits for a query string. Raises `ValueError` for a wrong one, and what `run` raises."""
        return await self.run(request_of(parameters))


def request_of(parameters: Mapping[str, tuple[str, ...]]) -> SearchRequest:
    """The request that a query string means. Raises `ValueError` naming the parameter and what is allowed."""
    known = (*_LISTS, *_SINGLE)
    if unknown := sorted(set(parameters) - set(known)):
        raise ValueError(f"{unknown[0]}: no such parameter; there are {', '.join(known)}")
    single = {name: _only(name, values) for name, values in parameters.items() if name in _SINGLE}
    return SearchRequest(
        text=single.get("text") or None,
        like=single.get("like") or None,
        cameras=parameters.get("camera", ()),
        labels=parameters.get("label", ()),
        zones=parameters.get("zone", ()),
        sub_labels=parameters.get("sub-label", ()),
        plates=parameters.get("plate", ()),
        after=_moment("after", single.get("after")),
        before=_moment("before", single.get("before")),
        limit=_whole(single.get("limit", "20")),
    )


def parameters_of(request: SearchRequest) -> Iterator[tuple[str, str]]:
    """The query string of a request: its parameters in pairs, a name once for each of its values."""
    for name, field in _LISTS.items():
        yield from ((name, value) for value in getattr(request, field))
    yield from ((name, value) for name in ("text", "like") if (value := getattr(request, name)))
    for name in ("after", "before"):
        if (moment := getattr(request, name)) is not None:
            yield name, times.rfc3339(moment)
    yield "limit", str(request.limit)


def hits_of(answer: bytes) -> list[Hit]:
    """The hits of an answer of the worker's search. Raises `ValueError` when it is something else."""
    return [_hit(found) for found in msgspec.json.decode(answer, type=_Answer).hits]


class _Found(msgspec.Struct):
    """A hit as JSON: times in ISO 8601."""

    object_id: str
    score: float | None
    camera: str
    label: str
    sub_label: str | None
    zones: tuple[str, ...]
    start_time: str
    end_time: str | None
    top_score: float
    description: str | None
    thumbnail: str | None


class _Answer(msgspec.Struct):
    hits: list[_Found]


def _hit(found: _Found) -> Hit:
    fields = msgspec.structs.asdict(found)
    end_time = None if found.end_time is None else times.instant(found.end_time)
    return Hit(**fields | {"start_time": times.instant(found.start_time), "end_time": end_time})


def _only(name: str, values: tuple[str, ...]) -> str:
    if len(values) != 1:
        raise ValueError(f"{name}: given {len(values)} times, once is enough")
    return values[0].strip()


def _moment(name: str, text: str | None) -> Instant | None:
    try:
        return times.instant(text) if text else None
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name}: {text!r} is no time; such as 2026-11-25T08:30:00Z") from error


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f"limit: {text!r} is no whole number") from error
