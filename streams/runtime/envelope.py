"""What the runtime keeps around an agent's state: its deadline and, per source topic, the last offset applied.

A message handed to us twice (a crash before the offset commit) is therefore applied once. A forgotten key stays as an
envelope without state until every offset it names is committed; only then is it really deleted, so that a replay
cannot revive a key in the middle of its life.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

from streams.domain.errors import Poison
from streams.domain.values import Instant

_FORMAT = 1
_HEAD = struct.Struct(">BBqB")  # format, has a state, deadline in µs (NEVER: none), number of topics
_TOPIC = struct.Struct(">Iq")  # CRC-32 of the topic's name, last applied offset
NEVER: Instant = 2**63 - 1


def topic_id(topic: str) -> int:
    """CRC-32 of a topic's name: four bytes instead of the name in every state."""
    return zlib.crc32(topic.encode())


@dataclass(slots=True)
class Envelope:
    state: bytes | None = None
    deadline: Instant = NEVER
    applied: dict[int, int] = field(default_factory=dict)

    def dump(self) -> bytes:
        head = _HEAD.pack(_FORMAT, self.state is not None, self.deadline, len(self.applied))
        return b"".join((head, *(_TOPIC.pack(*entry) for entry in self.applied.items()), self.state or b""))

    @classmethod
    def load(cls, raw: bytes | None) -> Envelope:
        """Read what `dump` wrote; None is an empty envelope. Raises `Poison` for an unknown format."""
        if raw is None:
            return cls()
        format_, has_state, deadline, count = _HEAD.unpack_from(raw)
        if format_ != _FORMAT:
            raise Poison("undecodable state", f"an envelope of format {format_}, expected {_FORMAT}")
        end = _HEAD.size + count * _TOPIC.size
        applied = dict(_TOPIC.iter_unpack(raw[_HEAD.size : end]))
        return cls(raw[end:] if has_state else None, deadline, applied)
