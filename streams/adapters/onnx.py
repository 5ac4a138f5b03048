"""Models by onnxruntime: a graph, what it declares, where it really runs, and the one thread that uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import onnxruntime
from numpy.typing import DTypeLike, NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from streams.adapters.status import ModelState
from streams.adapters.telemetry import ModelMeter
from streams.domain.errors import SettingsError

T = TypeVar("T")
Array = NDArray[Any]
Device = Literal["cpu", "cuda", "auto"]

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

_DTYPES: Mapping[str, DTypeLike] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(bool)": np.bool_,
}

RUN_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    ort_errors.EPFail,
    RuntimeError,
    ValueError,
)
"""What onnxruntime raises for a graph that it cannot load or run; its errors have no base class of their own."""

_QUIET = 3
"""onnxruntime's log level from which it speaks up: errors only."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output as the graph declares it; None is a size that is free."""

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]

    @property
    def is_float(self) -> bool:
        return self.dtype.kind == "f"

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}[{', '.join('?' if size is None else str(size) for size in self.shape)}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """What a model's file declares."""

    file: Path
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def __str__(self) -> str:
        return f"{self.file} takes {_listed(self.inputs)} and gives {_listed(self.outputs)}"


class Session:
    """A loaded graph. Used by one thread at a time."""

    def __init__(self, file: Path, *, device: Device, threads: int) -> None:
        """Raises `SettingsError`: the file is no graph that runs here, or the device is not usable."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = _QUIET
        # Idle threads that spin would take the cores from the rest of the worker.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        wanted = providers(device, onnxruntime.get_available_providers())
        with refusing(file):
            self._session = onnxruntime.InferenceSession(str(file), options, providers=wanted)
        self.provider = provider_used(device, self._session.get_providers())
        self.graph = Graph(
            file=file, inputs=_tensors(self._session.get_inputs()), outputs=_tensors(self._session.get_outputs())
        )
        self._dtypes = {tensor.name: tensor.dtype for tensor in self.graph.inputs}

    def run(self, feeds: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        """One inference; `feeds` are cast to what the graph declares."""
        cast = {name: np.ascontiguousarray(value, dtype=self._dtypes[name]) for name, value in feeds.items()}
        results: list[Array] = self._session.run(list(outputs), cast)
        return results


class Model:
    """One session on a thread of its own: whatever uses it comes one after another, and off the event loop."""

    def __init__(self, file: Path, *, device: Device, threads: int, meter: ModelMeter) -> None:
        self._file, self._device, self._threads, self._meter = file, device, threads, meter
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"model-{file.stem}")
        self._session: Session | None = None

    async def load(self, prepare: Callable[[Session], T]) -> T:
        """Load the graph and `prepare` it (bind inputs and outputs, warm up); only then is the model ready.

        Raises `SettingsError`, and the model's state says why.
        """
        self._meter.state(ModelState.LOADING)
        try:
            session, prepared = await self._off_loop(lambda: self._open(prepare))
        except SettingsError as error:
            self._meter.state(ModelState.FAILED, str(error))
            raise
        self._session = session
        self._meter.provider(session.provider)
        self._meter.state(ModelState.READY)
        return prepared

    async def use(self, work: Callable[[Session], T]) -> T:
        """Run `work` on the model's thread."""
        session = self._session
        if session is None:
            raise RuntimeError(f"{self._file} is used before it is loaded")
        return await self._off_loop(lambda: work(session))

    async def run(self, feeds: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        """One inference."""
        return await self.use(lambda session: session.run(feeds, outputs))

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _open(self, prepare: Callable[[Session], T]) -> tuple[Session, T]:
        session = Session(self._file, device=self._device, threads=self._threads)
        with refusing(self._file):
            return session, prepare(session)

    async def _off_loop(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def providers(device: Device, available: Sequence[str]) -> list[str]:
    """What onnxruntime is asked to run on, best first. Raises `SettingsError` when that cannot be."""
    if device == "cuda" and CUDA not in available:
        raise SettingsError(
            f"models.device: cuda is asked for, but this onnxruntime has only {', '.join(available)}; "
            "install onnxruntime-gpu, or set cpu or auto"
        )
    return [CUDA, CPU] if device != "cpu" and CUDA in available else [CPU]


def provider_used(device: Device, used: Sequence[str]) -> str:
    """What a session really runs on. onnxruntime falls back in silence: `cuda` that fell back is refused."""
    if device == "cuda" and used[0] != CUDA:
        raise SettingsError(
            "models.device: cuda is asked for, but CUDA could not be started (driver, libraries, memory)"
        )
    return used[0]


@contextmanager
def refusing(file: Path) -> Iterator[None]:
    """What goes wrong with a graph at start is a matter of settings."""
    try:
        yield
    except RUN_ERRORS as error:
        raise SettingsError(f"{file} cannot be used: {str(error).partition(chr(10))[0]}") from error


def _tensors(declared: Sequence[Any]) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(
            entry.name,
            tuple(size if isinstance(size, int) else None for size in entry.shape),
            np.dtype(_DTYPES.get(entry.type, np.object_)),
        )
        for entry in declared
    )


def _listed(tensors: Sequence[Tensor]) -> str:
    return ", ".join(map(str, tensors)) or "nothing"
