"""Logs: one form for our own lines and the libraries', and no secret in any of them."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog

from streams.adapters.logs import HIDDEN, configure
from streams.settings import Log


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before():
    """Logging is the process's: put it back."""
    root = logging.getLogger()  # noqa: TID251  # the test restores what configure changes
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def failing(text):
    raise RuntimeError(text)


def logged(call, *, log=None, stream=None, secrets=()):
    stream = stream or io.StringIO()
    configure(log or Log(), secrets=secrets, stream=stream)
    call(structlog.get_logger("ours"))
    return stream.getvalue()


def test_lines_are_json_where_nobody_looks_on():
    line = json.loads(logged(lambda log: log.info("ready", agent="track")))
    assert (line["event"], line["agent"], line["level"], line["logger"]) == ("ready", "track", "info", "ours")
    assert line["timestamp"].endswith("Z")


def test_lines_are_text_on_a_terminal():
    text = logged(lambda log: log.info("ready", agent="track"), stream=Terminal())
    assert "ready" in text
    assert not text.startswith("{")


@pytest.mark.parametrize(("form", "stream", "starts"), [("json", Terminal(), "{"), ("text", io.StringIO(), "20")])
def test_the_form_can_be_chosen(form, stream, starts):
    assert logged(lambda log: log.info("ready"), log=Log(format=form), stream=stream).startswith(starts)


def test_the_least_level_is_chosen():
    assert logged(lambda log: log.info("ready"), log=Log(level="warning")) == ""


def test_lines_of_libraries_look_alike():
    def call(_):
        logging.getLogger("library").warning("lost %s", "contact")  # noqa: TID251  # a library would

    line = json.loads(logged(call))
    assert (line["event"], line["logger"], line["level"]) == ("lost contact", "library", "warning")


@pytest.mark.parametrize("name", ["aiokafka.consumer", "faust", "httpx"])
def test_libraries_that_speak_at_every_message_are_quiet(name):
    def call(_):
        logging.getLogger(name).info("heartbeat")  # noqa: TID251  # a library would

    assert logged(call) == ""


def test_a_traceback_is_one_field():
    def call(log):
        try:
            failing("no more")
        except RuntimeError:
            log.exception("bug")

    line = json.loads(logged(call))
    assert line["exception"].endswith("RuntimeError: no more")


def test_local_variables_stay_out_of_tracebacks_on_a_terminal():
    def call(log):
        password = "hunter2"
        try:
            failing(f"{len(password)} characters")
        except RuntimeError:
            log.exception("bug")

    assert "'hunter2'" not in logged(call, stream=Terminal()).replace('password = "hunter2"', "")


@pytest.mark.parametrize(
    "told",
    [
        {"password": "hunter2"},
        {"api_key": "hunter2"},
        {"headers": {"Authorization": "Bearer hunter2"}},
        {"url": "http://user:hunter2@registry:8081/subjects"},
        {"url": "http://user:h@hunter2@registry:8081/subjects"},
        {"url": "https://bucket/x.jpg?X-Amz-Signature=hunter2&x=1"},
        {"said": "401 for Bearer hunter2"},
        {"nested": [{"token": "hunter2"}]},
        {"error": ValueError("http://user:hunter2@registry")},
        {"errors": {ValueError("http://user:hunter2@registry")}},
    ],
)
def test_secrets_are_hidden_by_name_and_by_shape(told):
    text = logged(lambda log: log.info("asked", **told))
    assert "hunter2" not in text
    assert HIDDEN in text


def test_known_secrets_are_hidden_wherever_they_stand():
    def call(log):
        try:
            failing("refused: s3cr3t")
        except RuntimeError:
            log.exception("said s3cr3t")
        logging.getLogger("library").warning("with %s", "s3cr3t")  # noqa: TID251  # a library would

    assert "s3cr3t" not in logged(call, secrets=["s3cr3t", ""])


def test_what_is_no_secret_stays():
    line = json.loads(logged(lambda log: log.info("read", url="http://registry:8081/a@b", tokens=0, count=3)))
    assert (line["url"], line["count"]) == ("http://registry:8081/a@b", 3)
