"""The parts of the README that the program knows best, as Markdown: topics, settings, and the graph of agents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from streams.adapters.catalogue import Catalogue, Topic
from streams.domain.messages import Message
from streams.domain.topology import edges, mermaid
from streams.durations import duration_text
from streams.operations.installation import agents
from streams.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """`topic` goes from `writer` to `reader`."""

    writer: str
    topic: str
    reader: str


def flow(settings: Settings) -> list[Flow]:
    """The edges of the graph of agents and topics."""
    name = _Names(settings)
    return [Flow(writer=edge.writer, topic=name(edge.message), reader=edge.reader) for edge in edges(agents(settings))]


def topology_mermaid(settings: Settings) -> str:
    """The graph of agents and topics, as Mermaid text."""
    return mermaid(agents(settings), _Names(settings))


class _Names:
    """Names messages by their topics, without the prefix."""

    def __init__(self, settings: Settings) -> None:
        self._catalogue, self._model = Catalogue(settings.kafka.prefix), settings.embedding.model

    def __call__(self, message: type[Message]) -> str:
        return self._catalogue.short(self._catalogue.topic_name(message, self._model))


def topics_table() -> str:
    """What each topic carries, for whoever reads or writes it."""
    return table(
        ("topic", "key", "message", "kept", "written by", "read by", "what it is"),
        (_topic(topic) for topic in Catalogue("nvr").files),
    )


def _topic(topic: Topic) -> tuple[str, ...]:
    name = topic.name.replace("{", "<").replace("}", ">")
    message = topic.message.__name__ if topic.message else "any bytes"
    kept = "newest per key" if topic.retention is None else duration_text(topic.retention)
    return f"`{name}`", topic.key, message, kept, ", ".join(topic.writers), ", ".join(topic.readers), topic.description


def settings_table() -> str:
    """Every setting, its default and its meaning."""
    rows = ((f"`{key}`", _default(key, field), _meaning(field)) for key, field in _leaves(Settings))
    return table(("setting", "default", "meaning"), rows)


def _leaves(tree: type[BaseModel], above: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in tree.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _leaves(kind, f"{above}{name}.")
        else:
            yield above + name, field


def _meaning(field: FieldInfo) -> str:
    """The description, and the allowed values where there are only a few."""
    allowed = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    return " ".join((field.description or "", *([f"One of {', '.join(allowed)}."] if allowed else [])))


def _default(key: str, field: FieldInfo) -> str:
    if field.default_factory is not None and key == "worker.name":
        return "the machine's name"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "required"
    return _shown(value)


def _shown(value: object) -> str:
    match value:
        case None | () | "" | SecretStr():
            return ""
        case dict() if not value:
            return ""
        case bool():
            return f"`{str(value).lower()}`"
        case timedelta():
            return f"`{duration_text(value)}`"
        case tuple() | list():
            return f"`[{', '.join(map(str, value))}]`"
        case _:
            return f"`{value}`"


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    columns = tuple(columns)
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)


def fenced(language: str, text: str) -> str:
    """A block of code."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def rewrite(text: str, blocks: Mapping[str, str]) -> str:
    """The text with the content of each marked block (`<!-- name:begin -->` to `<!-- name:end -->`) made anew."""
    for name, content in blocks.items():
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        before, found, rest = text.partition(begin)
        if found:
            text = before + begin + content + end + rest.partition(end)[2]
    return text
