"""Graphs are found, checked, loaded and reported as they are; what does not fit is refused at start."""

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from streams.adapters.model_files import model_file
from streams.adapters.onnx import CPU, CUDA, Model, Session, provider_used, providers
from streams.adapters.status import ModelState
from streams.adapters.telemetry import ModelMeter
from streams.domain.errors import SettingsError
from streams.files import shipped
from streams.settings import Models
from tests.support import graphs

PIXELS = np.ones((2, 3, 4, 4), np.float32)


@pytest.fixture
def meter() -> ModelMeter:
    return ModelMeter("vision.onnx")


@pytest.fixture
def model(tmp_path, meter) -> Iterator[Model]:
    model = Model(graphs.picture_graph(tmp_path / "vision.onnx"), device="cpu", threads=1, meter=meter)
    yield model
    model.close()


def test_a_graph_says_what_it_takes_and_gives(tmp_path) -> None:
    session = Session(graphs.joint_graph(tmp_path / "joint.onnx", dim=5), device="cpu", threads=1)

    assert [tensor.name for tensor in session.graph.inputs] == ["input_ids", "attention_mask", "pixel_values"]
    assert session.graph.inputs[2].shape == (None, 3, None, None)
    assert str(session.graph.outputs[1]) == "image_embeds float32[?, 5]"
    assert session.provider == CPU


async def test_a_model_is_ready_only_after_its_preparation(model, meter) -> None:
    states = [meter.status().state]

    def prepare(session: Session) -> int:
        states.append(meter.status().state)
        return len(session.run({"pixel_values": PIXELS}, ["image_embeds"])[0])

    assert await model.load(prepare) == 2
    assert [*states, meter.status().state] == [ModelState.NOT_LOADED, ModelState.LOADING, ModelState.READY]
    assert meter.status().provider == CPU


async def test_all_work_of_a_model_is_done_on_one_thread_that_is_not_the_loops(model) -> None:
    thread = await model.load(lambda _: threading.get_ident())

    assert await model.use(lambda _: threading.get_ident()) == thread != threading.get_ident()


async def test_inputs_are_cast_to_what_the_graph_declares(model) -> None:
    await model.load(lambda _: None)

    (once,) = await model.run({"pixel_values": PIXELS}, ["image_embeds"])
    (again,) = await model.run({"pixel_values": PIXELS.astype(np.float64)[:, :, ::-1]}, ["image_embeds"])

    assert (once == again).all()


async def test_a_model_that_is_not_loaded_is_not_used(model) -> None:
    with pytest.raises(RuntimeError, match="before it is loaded"):
        await model.run({"pixel_values": PIXELS}, ["image_embeds"])


@pytest.mark.parametrize("content", [b"", b"junk", b"version https://git-lfs.github.com/spec/v1\n"])
async def test_a_file_that_is_no_graph_is_refused_and_the_state_says_so(tmp_path, meter, content) -> None:
    path = tmp_path / "vision.onnx"
    path.write_bytes(content)
    model = Model(path, device="cpu", threads=1, meter=meter)

    with pytest.raises(SettingsError, match=r"vision\.onnx cannot be used"):
        await model.load(lambda _: None)
    assert meter.status().state is ModelState.FAILED
    assert str(path) in meter.status().detail


async def test_a_graph_that_cannot_run_its_warm_up_never_becomes_ready(model, meter) -> None:
    with pytest.raises(SettingsError, match="cannot be used"):
        await model.load(lambda session: session.run({"pixel_values": np.ones((1, 7))}, ["image_embeds"]))

    assert meter.status().state is ModelState.FAILED


def test_weights_beside_the_graph_are_found(tmp_path) -> None:
    graphs.picture_graph(tmp_path / "plain.onnx", dim=512)
    onnx.save(
        onnx.load(tmp_path / "plain.onnx"),
        tmp_path / "vision.onnx",
        save_as_external_data=True,
        location="vision.onnx_data",
        size_threshold=1024,
        convert_attribute=True,
    )
    session = Session(tmp_path / "vision.onnx", device="cpu", threads=1)

    assert (tmp_path / "vision.onnx_data").stat().st_size > 0
    assert session.run({"pixel_values": PIXELS}, ["image_embeds"])[0].shape == (2, 512)


@pytest.mark.parametrize(
    ("device", "available", "wanted"),
    [
        ("cpu", [CUDA, CPU], [CPU]),
        ("auto", [CUDA, CPU], [CUDA, CPU]),
        ("auto", ["AzureExecutionProvider", CPU], [CPU]),
        ("cuda", [CUDA, CPU], [CUDA, CPU]),
    ],
)
def test_the_device_chooses_the_providers(device, available, wanted) -> None:
    assert providers(device, available) == wanted


def test_cuda_that_is_asked_for_and_not_there_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"models\.device: cuda .* onnxruntime-gpu"):
        providers("cuda", [CPU])


def test_cuda_that_fell_back_in_silence_is_refused_and_auto_reports_it() -> None:
    with pytest.raises(SettingsError, match="could not be started"):
        provider_used("cuda", [CPU])
    assert provider_used("auto", [CPU]) == CPU
    assert provider_used("cuda", [CUDA, CPU]) == CUDA


def test_cuda_on_this_machine_is_used_or_refused_never_pretended(tmp_path) -> None:
    path = graphs.picture_graph(tmp_path / "vision.onnx")
    try:
        assert Session(path, device="cuda", threads=1).provider == CUDA
    except SettingsError as error:
        assert str(error).startswith("models.device")  # noqa: PT017 - both are right, which one is the machine's matter


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["joint_vision.onnx", "joint_text.onnx", "tokenizer.json", "ssd_oidv4.onnx"])
def test_shipped_files_are_those_that_were_shipped(name) -> None:
    assert model_file(name, Models(), setting="x") == shipped("infra", "models", "mini", name)


def test_a_shipped_file_that_was_changed_is_refused(tmp_path, monkeypatch) -> None:
    (tmp_path / "tokenizer.json").write_bytes(b"{}")
    monkeypatch.setattr("streams.adapters.model_files.shipped", lambda *_: tmp_path)

    with pytest.raises(SettingsError, match=r"tokenizer\.json has SHA-256 44136f"):
        model_file("tokenizer.json", Models(), setting="x")


def test_an_own_folder_comes_before_the_shipped_files(tmp_path) -> None:
    own = graphs.picture_graph(tmp_path / "joint_vision.onnx")

    assert model_file("joint_vision.onnx", Models(folder=tmp_path), setting="x") == own
    assert model_file("ssd_oidv4.onnx", Models(folder=tmp_path), setting="x").parent != tmp_path
    assert model_file(str(own), Models(), setting="x") == own


def test_a_missing_file_is_refused_by_setting_and_path(tmp_path) -> None:
    with pytest.raises(SettingsError, match=rf"^embedding\.vision_model: no file at {tmp_path}/clip\.onnx or .*mini"):
        model_file("clip.onnx", Models(folder=tmp_path), setting="embedding.vision_model")


def test_listed_sums_are_checked_also_of_weights_beside_the_graph(tmp_path) -> None:
    path, weights = tmp_path / "model.onnx", tmp_path / "model.onnx_data"
    path.write_bytes(b"graph")
    weights.write_bytes(b"weights")
    right = {"model.onnx": sha256(path).upper(), "model.onnx_data": sha256(weights)}

    assert model_file("model.onnx", Models(folder=tmp_path, sha256=right), setting="x") == path
    for wrong in (right | {"model.onnx": "0" * 64}, right | {"model.onnx_data": "0" * 64}):
        with pytest.raises(SettingsError, match=r"models\.sha256: .* expected 0000"):
            model_file("model.onnx", Models(folder=tmp_path, sha256=wrong), setting="x")
    weights.unlink()
    with pytest.raises(SettingsError, match="cannot be read"):
        model_file("model.onnx", Models(folder=tmp_path, sha256=right), setting="x")
