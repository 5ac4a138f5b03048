"""What agents remember, as bytes: the class's name, the version of its schema, and the bare Avro body.

Unlike messages, states never meet a registry: all versions that were released lie in `schemas/frozen`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streams.adapters.avro import AvroForm
from streams.adapters.schema_files import SchemaFiles
from streams.domain.errors import Poison


@dataclass(frozen=True, slots=True, kw_only=True)
class _StateClass:
    prefix: bytes
    form: AvroForm[object]
    readers: tuple[Callable[[bytes], object], ...]
    """One per released version, v1 first."""


class StateCodec:
    """Writes states by their newest released schema, and reads them from any released one."""

    def __init__(self, classes: tuple[type, ...], files: SchemaFiles | None = None) -> None:
        """Raises `LookupError` when a class has no schema in `schemas/frozen/state-<Class>`."""
        files = files or SchemaFiles()
        self._classes = {each.__name__: _state_class(each, files) for each in classes}

    def dumps(self, state: object) -> bytes:
        """The state as bytes, never empty. Raises `Poison` (`unencodable`) naming the field that cannot be written."""
        known = self._classes.get(type(state).__name__)
        if known is None:
            raise TypeError(f"{type(state).__name__} is none of {', '.join(self._classes)}")
        return known.prefix + known.form.body(state)

    def loads(self, data: bytes) -> object:
        """The state that `dumps` wrote, by this or an older release. Raises `Poison` (`undecodable state`)."""
        name, version, body = _split(data)
        known = self._classes.get(name)
        if known is None or not 1 <= version <= len(known.readers):
            raise Poison("undecodable state", f"version {version} of {name!r}: written by a newer release?")
        try:
            return known.readers[version - 1](body)
        except Poison as error:
            raise Poison("undecodable state", f"version {version} of {name}: {error.detail}") from error


def _state_class(record: type[object], files: SchemaFiles) -> _StateClass:
    versions = files.frozen(f"state-{record.__name__}")
    form = AvroForm(record, versions[-1])
    name = record.__name__.encode()
    return _StateClass(
        prefix=bytes([len(name)]) + name + bytes([len(versions)]),
        form=form,
        readers=tuple(form.reader(version) for version in versions),
    )


def _split(data: bytes) -> tuple[str, int, bytes]:
    """Class name, version and body."""
    end = 1 + data[0] if data else 1
    if len(data) <= end:
        raise Poison("undecodable state", f"{len(data)} bytes, shorter than its header")
    return data[1:end].decode("ascii", "replace"), data[end], data[end + 1 :]
