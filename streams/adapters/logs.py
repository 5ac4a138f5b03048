"""How logs look: text on a terminal, JSON elsewhere, our own and the libraries' alike, and never a secret in them."""

from __future__ import annotations

import logging.config
import re
import sys
from collections.abc import Iterable, Mapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from streams.setting_errors import without_credentials
from streams.settings import Log

HIDDEN = "**********"

_QUIET = ("aiokafka", "faust", "mode", "httpx", "httpx2", "httpcore", "qdrant_client", "asyncio", "aiohttp")
"""Libraries that speak at every message or call; aiokafka alone costs 3 % of a processor that way."""

_OVER_FAUST = ("streams.runtime.faust_app", "streams.runtime.consumer", "streams.runtime.tables")
"""Our subclasses of Faust's services, in whose name Faust reports each start and stop."""

_SECRET_NAME = re.compile(r"password|secret|api_?key|token|authorization|credential", re.IGNORECASE)
_SECRET_TEXT = (
    re.compile(r"(?<=[?&]X-Amz-Signature=)[^&\s\"']+", re.IGNORECASE),
    re.compile(r"(?<=\bBearer )[\w.~+/=-]+", re.IGNORECASE),
)


def configure(log: Log, *, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Send everything that is logged to `stream` (default: standard error); texts in `secrets` appear nowhere."""
    out = sys.stderr if stream is None else stream
    shared = _shared(HideSecrets(secrets))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "ours": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        _renderer(log, terminal=out.isatty()),
                    ],
                }
            },
            "handlers": {"ours": {"class": "logging.StreamHandler", "formatter": "ours", "stream": out}},
            "root": {"handlers": ["ours"], "level": log.level.upper()},
            "loggers": {name: {"level": "WARNING"} for name in (*_QUIET, *_OVER_FAUST)},
        }
    )
    logging.captureWarnings(capture=True)


class HideSecrets:
    """A log processor that blots out secrets: by field name, by the shape of the text, and by their very value."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known = tuple(secret for secret in secrets if secret)

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        del logger, method
        return {name: self._field(name, value) for name, value in event.items()}

    def _field(self, name: str, value: object) -> object:
        match value:
            case _ if _SECRET_NAME.search(name) and value:
                return HIDDEN
            case str():
                return self.text(value)
            case Mapping():
                return {str(key): self._field(str(key), part) for key, part in value.items()}
            case list() | tuple():
                return [self._field(name, part) for part in value]
            case None | bool() | int() | float():
                return value
            case _:  # an error, a path, a settings object: whatever it is, its text is what the line would show
                return self.text(str(value))

    def text(self, text: str) -> str:
        for secret in self._known:
            text = text.replace(secret, HIDDEN)
        text = without_credentials(text)
        for pattern in _SECRET_TEXT:
            text = pattern.sub(HIDDEN, text)
        return text


def _shared(hide: HideSecrets) -> list[Processor]:
    """What happens to every line, ours or a library's; tracebacks are made text before secrets are hidden."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        hide,
    ]


def _renderer(log: Log, *, terminal: bool) -> Processor:
    as_text = log.format == "text" or (log.format == "auto" and terminal)
    if as_text:
        return structlog.dev.ConsoleRenderer(colors=terminal, exception_formatter=structlog.dev.plain_traceback)
    return structlog.processors.JSONRenderer(default=str)
