"""Settings: where they come from, what is refused and how, and that secrets stay secret."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from streams.domain.errors import SettingsError
from streams.durations import duration_text
from streams.settings import Settings, load, secrets

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    """No settings of the person who runs the tests."""
    for name in os.environ:
        if name.upper().startswith("NVR_STREAMS_"):
            monkeypatch.delenv(name)


@pytest.fixture
def written(tmp_path):
    def write(content: str | bytes):
        file = tmp_path / "settings.yaml"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    return write


def refusal(file=None) -> str:
    with pytest.raises(SettingsError) as refused:
        load(file)
    return str(refused.value)


# ---- where they come from


def test_without_anything_the_defaults_hold():
    assert load().kafka.bootstrap == "127.0.0.1:9092"


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(written, monkeypatch):
    monkeypatch.setenv("NVR_STREAMS__KAFKA__PREFIX", "env")
    settings = load(written("kafka: {prefix: file, partitions: 7}"))
    assert (settings.kafka.prefix, settings.kafka.partitions, settings.kafka.replication) == ("env", 7, 1)


def test_the_environment_names_the_file(written, monkeypatch):
    monkeypatch.setenv("NVR_STREAMS_CONFIG", str(written("site: barn")))
    assert load().site == "barn"


def test_lists_in_the_environment_are_json(monkeypatch):
    monkeypatch.setenv("NVR_STREAMS__STORE__READ", '["s3://cameras"]')
    assert load().store.read == ("s3://cameras",)


def test_an_empty_file_and_empty_sections_say_nothing(written):
    assert load(written("")) == load(written("kafka:\n  # prefix: mine\nstore:\n")) == load()


@pytest.mark.parametrize(
    ("written_as", "seconds"),
    [
        ("250ms", 0.25),
        ("10s", 10),
        ("10 s", 10),
        ("5m", 300),
        ("12h", 43_200),
        ("30d", 2_592_000),
        ("7", 7),
        ("PT7S", 7),
    ],
)
def test_durations_are_written_as_people_write_them(written, written_as, seconds):
    assert load(written(f"store: {{timeout: {written_as}}}")).store.timeout == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["30d", "12h", "36h", "90s", "1m", "5ms", "1500ms", "0.5ms"])
def test_durations_are_shown_as_they_are_written(written, text):
    settings = load(written(f"store: {{timeout: {text}}}"))
    assert duration_text(settings.store.timeout) == settings.model_dump(mode="json")["store"]["timeout"] == text


def test_blanks_around_names_are_cut_off(written):
    assert load(written("embedding: {model: ' model-x '}")).embedding.model == "model-x"


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load().kafka.prefix = "other"


# ---- what is refused


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "kafka: {bootstap: x}",
            "kafka.bootstap: no such setting (did you mean bootstrap? known here: bootstrap, prefix,",
        ),
        ("cafka: {}", "cafka: no such setting (did you mean kafka? known here: site, kafka, registry,"),
        ("kafka: {partitions: many}", "kafka.partitions: Input should be a valid integer"),
        ("kafka: {partitions: many}", "(given: 'many')"),
        (
            "kafka: {security: tls}",
            "kafka.security: Input should be 'plaintext', 'ssl', 'sasl_plaintext' or 'sasl_ssl'",
        ),
        ("kafka: {prefix: a.b}", "kafka.prefix: String should match pattern"),
        (
            "worker: {stall: soon}",
            "worker.stall: expected a duration such as 250ms, 10s, 5m, 12h or 30d (given: 'soon')",
        ),
        ("worker: {stall: yes}", "worker.stall: expected a duration"),
        ("worker: {stall: 0}", "worker.stall: must be longer than nothing"),
        ("worker: {grace: 1h}", "settings: worker.grace must be shorter than worker.session_timeout"),
        ("kafka: {security: sasl_ssl, username: me}", "kafka: security sasl_ssl needs username and password"),
        ("kafka: here", "kafka: Input should be a valid dictionary"),
        ("- site", "expected `key: value` lines, keys are site, kafka,"),
        ("1: 2", "expected `key: value` lines"),
        ("site: [", "is not YAML: see line 1, column 8"),
        (b"site: \xff", "is not a text file in UTF-8"),
    ],
)
def test_wrong_settings_are_refused_by_name_with_what_is_allowed(written, content, words):
    assert words in refusal(written(content))


def test_every_fault_is_named_at_once(written):
    assert refusal(written("kafka: {partitions: 0}\nlog: {level: loud}")).count("\n") == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NVR_STREAMS__KAFKA__BOOTSTAP", "kafka.bootstap: no such setting (did you mean bootstrap?"),
        ("NVR_STREAMS__CAFKA__PREFIX", "cafka.prefix: no such setting"),
        ("NVR_STREAMS__SITE__NAME", "site.name: no such setting"),
    ],
)
def test_unknown_variables_of_the_environment_are_refused_by_name(monkeypatch, name, words):
    monkeypatch.setenv(name, "x")
    assert words in refusal()


def test_a_list_that_is_not_json_is_refused_with_the_cure(monkeypatch):
    monkeypatch.setenv("NVR_STREAMS__STORE__READ", "s3://cameras")
    assert "lists and sections are written as JSON" in refusal()


def test_keys_that_users_choose_are_taken_from_the_environment(monkeypatch):
    monkeypatch.setenv("NVR_STREAMS__MODELS__SHA256__JOINT", "00")
    assert load().models.sha256 == {"joint": "00"}


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert refusal(tmp_path / "none.yaml") == f"no settings file at {tmp_path / 'none.yaml'}"


def test_a_folder_is_no_file(tmp_path):
    assert refusal(tmp_path) == f"{tmp_path}: Is a directory"


# ---- secrets


@pytest.mark.parametrize(
    "content",
    [
        f"kafka: {{password: {{a: {SECRET}}}}}",
        f"kafka: {{pasword: {SECRET}}}",
        f"kafka: password {SECRET}",
        f"kafka: {{password: *{SECRET}}}",
        f"kafka: {{password: !{SECRET} x}}",
        f"store: {{timeout: 'http://me:{SECRET}@there'}}",
        f"{SECRET}: [",
    ],
)
def test_refusals_never_show_a_secret(written, content):
    with pytest.raises(SettingsError) as refused:
        load(written(content))
    assert SECRET not in str(refused.value)
    assert SECRET not in str(refused.value.__cause__)


def test_refusals_never_show_a_secret_of_the_environment(monkeypatch):
    monkeypatch.setenv("NVR_STREAMS__KAFKA__PASWORD", SECRET)
    assert SECRET not in refusal()


def test_settings_never_show_a_secret(written):
    settings = load(written(f"kafka: {{password: {SECRET}}}\nindex: {{api_key: {SECRET}}}"))
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_all_secrets_that_are_set_are_known(written):
    settings = load(written("kafka: {password: one}\nstore: {access_key: two, secret_key: three}"))
    assert sorted(secrets(settings)) == ["one", "three", "two"]
    assert secrets(load()) == ()


# ---- documentation


def test_every_setting_says_what_it_means():
    nameless = [
        f"{name}.{part}"
        for name, section in Settings.model_fields.items()
        for part, field in getattr(section.annotation, "model_fields", {}).items()
        if not field.description
    ]
    assert nameless == []
