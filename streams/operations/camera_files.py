"""Reads cameras from YAML with Frigate's keys: one camera with its `name`, or several under `cameras`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias, get_args, get_origin, get_type_hints

import msgspec

from streams.domain.cameras import Camera
from streams.domain.errors import SettingsError
from streams.domain.values import Instant
from streams.settings import read_yaml

Keys: TypeAlias = tuple[str, ...]
"""The path to a setting from the top of a camera."""

ANY = "*"
"""A key that users choose: a label."""

_MOVED: Mapping[Keys, Keys] = {
    ("audio_enabled",): ("audio", "enabled"),
    ("detect", "stationary_threshold"): ("detect", "stationary", "threshold"),
    ("snapshots", "retain_days"): ("snapshots", "retain", "default"),
    ("review", "alerts_labels"): ("review", "alerts", "labels"),
    ("review", "alerts_required_zones"): ("review", "alerts", "required_zones"),
    ("review", "detections_labels"): ("review", "detections", "labels"),
    ("review", "detections_required_zones"): ("review", "detections", "required_zones"),
    ("motion_mask",): ("motion", "mask"),
}
"""Where Frigate has the settings of our message, where that is elsewhere."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a setting stands in our message, and of what type it is."""

    keys: Keys
    kind: object


def read_cameras(file: Path, at: Instant) -> tuple[Camera, ...]:
    """The cameras of a file. Raises `SettingsError` naming every key that does not exist or has a wrong value."""
    content = _content(file)
    several = content.get("cameras", None)
    if several is None:
        return (_camera(content.get("name"), content, at),)
    if len(content) > 1 or not isinstance(several, Mapping):
        raise SettingsError(f"{file}: expected either one camera with its `name`, or `cameras` alone with names below")
    return tuple(_camera(name, settings or {}, at) for name, settings in several.items())


def _content(file: Path) -> Mapping[str, object]:
    content = read_yaml(file)
    if not isinstance(content, Mapping):
        raise SettingsError(f"{file}: expected the settings of a camera")
    return content


def _camera(name: object, settings: object, at: Instant) -> Camera:
    if not isinstance(name, str) or not name:
        raise SettingsError("name: a camera needs one, a text")
    if not isinstance(settings, Mapping):
        raise SettingsError(f"camera {name}: expected `key: value` lines")
    given = dict(_flat({**settings, "name": name, "zones": _names(settings.get("zones"))}))
    if unknown := [keys for keys in given if _place(keys) is None]:
        raise SettingsError("\n".join(f"camera {name}: {_no_such(keys)}" for keys in unknown))
    try:
        return msgspec.convert({**_nested(given), "at": at}, Camera)
    except msgspec.ValidationError as error:
        raise SettingsError(f"camera {name}: {str(error).replace('`$.', '`')}") from error


def _names(zones: object) -> object:
    """Frigate describes zones by name; only their names matter here."""
    return [str(name) for name in zones] if isinstance(zones, Mapping) else zones


def _flat(given: Mapping[object, object], above: Keys = ()) -> Iterator[tuple[Keys, object]]:
    """The values with their paths; a key with nothing behind it says nothing."""
    for key, value in given.items():
        keys = (*above, str(key))
        if isinstance(value, Mapping):
            yield from _flat(value, keys)
        elif value is not None:
            yield keys, value


def _nested(given: Mapping[Keys, object]) -> dict[str, object]:
    """The values where our message has them; a single name stands for a list of one."""
    message: dict[str, object] = {}
    for keys, value in given.items():
        place = _place(keys)
        single = isinstance(value, str) and place is not None and get_origin(place.kind) is tuple
        _put(message, place.keys if place else keys, [value] if single else value)
    return message


def _put(message: dict[str, object], keys: Keys, value: object) -> None:
    first, *rest = keys
    if not rest:
        message[first] = value
        return
    part = message.setdefault(first, {})
    if isinstance(part, dict):
        _put(part, tuple(rest), value)


def _place(keys: Keys) -> _Place | None:
    """The place of a setting by Frigate's keys; where users choose a key, any will do."""
    if keys in _places():
        return _places()[keys]
    for i, key in enumerate(keys):
        if found := _places().get((*keys[:i], ANY, *keys[i + 1 :])):
            return _Place(tuple(key if own == ANY else own for own in found.keys), found.kind)
    return None


@cache
def _places() -> dict[Keys, _Place]:
    return {_MOVED.get(keys, keys): _Place(keys, kind) for keys, kind in _leaves(Camera) if keys != ("at",)}


def _leaves(kind: object, above: Keys = ()) -> Iterator[tuple[Keys, object]]:
    if isinstance(kind, type) and is_dataclass(kind):
        for name, part in get_type_hints(kind).items():
            yield from _leaves(part, (*above, name))
    elif get_origin(kind) is dict:
        yield from _leaves(get_args(kind)[1], (*above, ANY))
    else:
        yield above, kind


def _no_such(keys: Keys) -> str:
    """What is known where the path leaves the known ones, or stops too early."""
    if more := sorted(_below(keys) - {ANY}):
        return f"{'.'.join(keys)}: expected settings below it: {', '.join(more)}"
    depth = next(i for i in range(len(keys)) if not _below(keys[: i + 1]))
    known = sorted(_below(keys[:depth]) - {ANY})
    near = difflib.get_close_matches(keys[depth], known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    allowed = f" ({hint}known here: {', '.join(known)})" if known else ""
    return f"{'.'.join(keys)}: no such setting{allowed}"


def _below(keys: Keys) -> set[str]:
    """The keys that may follow these; empty also for a path that does not exist, or ends."""
    size = len(keys)
    return {
        place[size]
        for place in _places()
        if len(place) > size and all(own in {given, ANY} for own, given in zip(place, keys, strict=False))
    }
