"""The settings: one frozen tree, read once from a YAML file and the environment; unknown keys are refused."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from streams.domain.errors import SettingsError
from streams.durations import Duration
from streams.setting_errors import find, no_such, wrong

Name = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,62}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_PREFIX = "nvr_streams__"


class Section(BaseModel):
    """A part of the tree: frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Kafka(Section):
    bootstrap: Text = Field("127.0.0.1:9092", description="Brokers, `host:port`, comma-separated.")
    prefix: Name = Field("nvr", description="Topics, consumer groups and changelogs are named `<prefix>-<name>`.")
    partitions: int = Field(4, ge=1, le=1000, description="Partitions of keyed topics and tables; fixed from day one.")
    replication: int = Field(1, ge=1, le=9, description="Replicas of the topics that are created.")
    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext", description="How brokers are spoken to."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism."
    )
    username: str | None = Field(None, description="SASL user.")
    password: SecretStr | None = Field(None, description="SASL password.")
    ca_file: Path | None = Field(
        None, description="Certificate authorities that the brokers' certificates are checked with."
    )

    @model_validator(mode="after")
    def _sasl_has_credentials(self) -> Kafka:
        if self.security.startswith("sasl") and not (self.username and self.password):
            raise ValueError(f"security {self.security} needs username and password")
        return self


class Registry(Section):
    url: Text = Field("http://127.0.0.1:8081", description="Confluent-compatible schema registry.")
    username: str | None = Field(None, description="User for basic authentication.")
    password: SecretStr | None = Field(None, description="Password for basic authentication.")
    timeout: Duration = Field(timedelta(seconds=10), description="Deadline of one call.")


class Store(Section):
    url: Text = Field("file:var/store", description="Where pictures are written: file:, s3:, gs:, az: or memory: URL.")
    read: tuple[str, ...] = Field((), description="Further stores whose pictures may be read (the camera system's).")
    public_url: str | None = Field(None, description="Public base URL of the store, for pictures in people's browsers.")
    presign: Duration | None = Field(
        None, description="Hand out presigned URLs valid this long instead of `public_url`."
    )
    endpoint: str | None = Field(None, description="Endpoint of an S3-compatible store.")
    access_key: SecretStr | None = Field(None, description="Access key id; default: the cloud SDK's own search.")
    secret_key: SecretStr | None = Field(None, description="Secret access key.")
    region: str | None = Field(None, description="Region of the bucket.")
    timeout: Duration = Field(timedelta(seconds=20), description="Deadline of one call.")
    max_bytes: int = Field(32 * 1024 * 1024, ge=1024, description="Largest picture file that is read, bytes.")
    max_pixels: int = Field(40_000_000, ge=1024, description="Largest picture that is decoded, pixels.")


class Index(Section):
    url: str | None = Field(None, description="Qdrant server (1.19 or newer); unset: the embedded index in `path`.")
    path: Path = Field(Path("var/index"), description="Folder of the embedded index (up to some 10,000 objects).")
    api_key: SecretStr | None = Field(None, description="Qdrant API key.")
    collection: Name = Field("objects", description="Alias that searches go to; collections are `<name>_<model>_<n>`.")
    timeout: Duration = Field(timedelta(seconds=30), description="Deadline of one call.")
    batch: int = Field(64, ge=1, le=1000, description="Documents gathered into one upsert.")


class Models(Section):
    folder: Path | None = Field(
        None, description="Folder that relative model paths start from; default: the shipped ones."
    )
    device: Literal["cpu", "cuda", "auto"] = Field(
        "cpu", description="Where models run; `auto` takes CUDA where it is."
    )
    threads: int = Field(1, ge=1, le=64, description="Threads of one inference.")
    batch: int = Field(8, ge=1, le=256, description="Calls gathered into one inference.")
    linger: Duration = Field(timedelta(milliseconds=5), description="How long a batch waits to fill.")
    sha256: dict[str, str] = Field(default_factory=dict, description="Expected SHA-256 of model files, by path.")


class Embedding(Section):
    """A CLIP-shaped pair of models: pictures and words in one space."""

    enabled: bool = Field(True, description="Make vectors; off: objects and filters still work.")
    model: Name = Field("mini", description="Name stamped on every vector and on the documents topic.")
    vision_model: Text = Field("joint_vision.onnx", description="pixel_values [N,3,H,W] to image_embeds [N,D].")
    text_model: Text = Field(
        "joint_text.onnx", description="input_ids [N,T] (and attention_mask) to text_embeds [N,D]."
    )
    tokenizer: Text = Field("tokenizer.json", description="Hugging Face tokenizer.json.")
    image_size: int = Field(224, ge=16, le=1024, description="Side of the input picture, pixels.")
    resize: Literal["squash", "crop"] = Field("squash", description="Squash to the square, or crop its centre.")
    mean: tuple[float, float, float] = Field(
        (0.48145466, 0.4578275, 0.40821073), description="Channel means, RGB, 0..1."
    )
    std: tuple[float, float, float] = Field(
        (0.26862954, 0.26130258, 0.27577711), description="Channel deviations, RGB."
    )
    max_tokens: int = Field(128, ge=8, le=8192, description="Texts are cut after this many tokens.")
    image_output: str = Field("auto", description="Output of the vision model; `auto`: the only 2-D float one.")
    text_output: str = Field("auto", description="Output of the text model; `auto`: the only 2-D float one.")


class Switch(Section):
    enabled: bool = Field(False, description="Whether cameras may switch this on.")


class Retention(Section):
    objects: Duration = Field(
        timedelta(days=30), description="How long an object's record, vectors and pictures are kept."
    )
    open_objects: Duration = Field(timedelta(hours=12), description="An object without news this long ended unnoticed.")
    ended: Duration = Field(
        timedelta(days=8), description="How long an end is remembered; longer than topics are kept."
    )


class Worker(Section):
    name: Name = Field(
        default_factory=lambda: socket.gethostname().split(".")[0].strip("-_ ").replace("_", "-")[:60] or "worker",
        validate_default=True,
        description="Unique, stable name of this worker; static group membership hangs on it.",
    )
    static: bool = Field(True, description="Static group membership: a restart keeps its partitions.")
    in_flight: int = Field(256, ge=1, le=100_000, description="Keys of one partition that an agent works on at a time.")
    threads: int = Field(2, ge=1, le=64, description="Threads for decoding, cutting and encoding pictures.")
    host: str = Field("127.0.0.1", description="Address of health, metrics and search.")
    port: int = Field(8077, ge=0, le=65535, description="Port of health, metrics and search; 0: any free one.")
    state: Literal["memory", "rocksdb"] = Field("memory", description="Where tables lie between changelog reads.")
    data: Path = Field(Path("var/worker"), description="Folder for local state.")
    grace: Duration = Field(timedelta(seconds=6), description="Time for what is in flight at a stop or a rebalance.")
    session_timeout: Duration = Field(
        timedelta(seconds=15), description="Silence after which the group gives up a worker."
    )
    stall: Duration = Field(timedelta(minutes=1), description="Work without progress this long restarts the worker.")
    linger: Duration = Field(timedelta(milliseconds=5), description="How long the producer waits to fill a batch.")


class Log(Section):
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    format: Literal["auto", "text", "json"] = Field("auto", description="`auto`: text on a terminal, JSON elsewhere.")


class Settings(BaseSettings):
    """All settings of one installation."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=_PREFIX.upper(),
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    site: Name = Field("home", description="Name of this installation; part of every point's id.")
    kafka: Kafka = Kafka()
    registry: Registry = Registry()
    store: Store = Store()
    index: Index = Index()
    models: Models = Models()
    embedding: Embedding = Embedding()
    face: Switch = Field(Switch(), description="Face recognition.")
    plate: Switch = Field(Switch(), description="Licence plates.")
    transcription: Switch = Field(Switch(), description="Audio transcription.")
    retention: Retention = Retention()
    worker: Worker = Worker()
    log: Log = Log()

    @model_validator(mode="after")
    def _grace_fits(self) -> Settings:
        if self.worker.grace >= self.worker.session_timeout:
            raise ValueError("worker.grace must be shorter than worker.session_timeout")
        return self

    @model_validator(mode="before")
    @classmethod
    def _empty_sections_are_defaults(cls, given: dict[str, object]) -> dict[str, object]:
        """`kafka:` with every line under it commented out says nothing."""
        return {key: value for key, value in given.items() if value is not None}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what is handed in: the content of the YAML file."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def load(path: Path | None = None) -> Settings:
    """Read the settings: the environment wins over the YAML file, which wins over the defaults.

    `path` defaults to what `NVR_STREAMS_CONFIG` names. Raises `SettingsError` naming the key, the value (never a
    secret) and what is allowed.
    """
    named = path or (Path(chosen) if (chosen := os.environ.get("NVR_STREAMS_CONFIG")) else None)
    content = _content(named) if named else {}
    if unknown := [keys for name in os.environ if (keys := _keys(name)) and find(Settings, keys) is None]:
        raise SettingsError("\n".join(no_such(Settings, keys) for keys in unknown))
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        raise SettingsError("\n".join(wrong(Settings, problem) for problem in error.errors())) from error


def secrets(settings: BaseModel) -> tuple[str, ...]:
    """Every secret that is set, so that whoever prints can leave it out."""
    values = [getattr(settings, name) for name in type(settings).model_fields]
    own = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    return (*own, *(secret for value in values if isinstance(value, BaseModel) for secret in secrets(value)))


def read_yaml(path: Path) -> object:
    """What a YAML file of settings says. Raises `SettingsError` that names the place only: the text may hold a secret."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"no settings file at {path}") from None
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not a text file in UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f": see line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SettingsError(f"{path} is not YAML{where}") from None


def _content(path: Path) -> dict[str, object]:
    content = read_yaml(path)
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise SettingsError(f"{path}: expected `key: value` lines, keys are {', '.join(Settings.model_fields)}")
    return content


def _keys(variable: str) -> tuple[str, ...]:
    """The path of the setting that an environment variable names; empty when it is none of ours."""
    name = variable.lower()
    return tuple(name.removeprefix(_PREFIX).split("__")) if name.startswith(_PREFIX) else ()
