"""The embedder binds to any CLIP-shaped pair of graphs, shares batches where that is safe, and refuses the rest."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from streams.adapters.embedder import PICTURES, TEXTS, OnnxEmbedder, open_embedder
from streams.adapters.onnx import Graph, Tensor
from streams.adapters.status import ModelState
from streams.adapters.telemetry import Telemetry
from streams.adapters.towers import PictureEncoder, normalised
from streams.domain.errors import Poison, SettingsError
from streams.ports import Image
from streams.settings import Embedding, Models
from tests.support import graphs

Open = Callable[..., Awaitable[OnnxEmbedder]]


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry("test")


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def opened(tmp_path: Path, telemetry: Telemetry, stack: AsyncExitStack) -> Open:
    """Opens an embedder over the graphs in the test's folder; what is not named is made."""

    async def make(*, batch: int = 8, **settings: object) -> OnnxEmbedder:
        graphs.picture_graph(tmp_path / "vision.onnx")
        graphs.text_graph(tmp_path / "text.onnx")
        names = {"vision_model": "vision.onnx", "text_model": "text.onnx", "image_size": 32, "model": "toy"}
        embedding = Embedding.model_validate(names | settings)
        opening = open_embedder(embedding, Models(folder=tmp_path, batch=batch), telemetry)
        return await stack.enter_async_context(opening)

    return make


def grey(level: int, *, height: int = 32, width: int = 32) -> Image:
    return np.full((height, width, 3), level, np.uint8)


async def batches(telemetry: Telemetry, embedder: OnnxEmbedder, texts: list[str]) -> list[int]:
    """How many texts came together, told by the meter's calls."""
    sizes: list[int] = []
    meter = telemetry.work(TEXTS)
    counted = meter.done
    meter.done = lambda seconds, *, items=1: (sizes.append(items), counted(seconds, items=items))[1]
    await asyncio.gather(*map(embedder.embed_text, texts))
    return sizes


async def test_dimension_and_name_come_from_graph_and_settings(opened) -> None:
    embedder = await opened()

    assert (embedder.model, embedder.dim) == ("toy", 4)


async def test_concurrent_texts_share_a_batch_and_are_counted(opened, telemetry) -> None:
    embedder = await opened()

    assert await batches(telemetry, embedder, [f"text {number}" for number in range(16)]) == [8, 8]
    assert telemetry.work(TEXTS).status().done == 16
    assert telemetry.work(PICTURES).status().done == 0


async def test_both_models_are_reported_ready_with_what_they_run_on(opened, telemetry) -> None:
    await opened()

    assert [(m.name, m.state, m.provider) for m in telemetry.status().models] == [
        ("vision.onnx", ModelState.READY, "CPUExecutionProvider"),
        ("text.onnx", ModelState.READY, "CPUExecutionProvider"),
    ]


async def test_one_graph_may_hold_both_towers(opened, tmp_path) -> None:
    graphs.joint_graph(tmp_path / "both.onnx")
    outputs = {"image_output": "image_embeds", "text_output": "text_embeds"}

    joint = await opened(vision_model="both.onnx", text_model="both.onnx", **outputs)
    apart = await opened()

    assert (await joint.embed_text("a car") == await apart.embed_text("a car")).all()
    assert (await joint.embed_picture(grey(200)) == await apart.embed_picture(grey(200))).all()


async def test_one_graph_with_several_outputs_asks_for_their_names(opened, tmp_path) -> None:
    graphs.joint_graph(tmp_path / "both.onnx")

    with pytest.raises(SettingsError, match=r"embedding\.image_output: .* 2, so name it; .*text_embeds.*image_embeds"):
        await opened(vision_model="both.onnx", text_model="both.onnx")
    with pytest.raises(SettingsError, match=r"embedding\.text_output: no output 'x'; .*text_embeds"):
        await opened(vision_model="both.onnx", text_model="both.onnx", image_output="image_embeds", text_output="x")


async def test_a_graph_whose_vectors_depend_on_the_batch_gets_its_items_one_by_one(opened, tmp_path, telemetry) -> None:
    nodes = [*graphs.text_nodes(4, "sums", masked=True), *graphs.across_batch("sums", "text_embeds")]
    graphs.save(tmp_path / "quantised.onnx", nodes, [graphs.IDS, graphs.MASK], [graphs.vector("text_embeds", 4)])
    embedder = await opened(text_model="quantised.onnx")
    texts = ["a car", "a person who rides a bicycle", "a dog"]
    serial = [await embedder.embed_text(text) for text in texts]

    assert await batches(telemetry, embedder, texts) == [1, 1, 1]
    assert (np.array(await asyncio.gather(*map(embedder.embed_text, texts))) == np.array(serial)).all()


async def test_a_graph_without_a_mask_is_never_padded(opened, tmp_path, telemetry) -> None:
    graphs.text_graph(tmp_path / "maskless.onnx", masked=False)
    embedder = await opened(text_model="maskless.onnx")
    masked = await opened()

    assert await batches(telemetry, embedder, ["a car", "a person who rides a bicycle"]) == [1, 1]
    assert await embedder.embed_text("a car") == pytest.approx(await masked.embed_text("a car"))


async def test_a_graph_that_takes_one_item_at_a_time_gets_one(opened, tmp_path, telemetry) -> None:
    ids, mask = (
        helper.make_tensor_value_info(name, TensorProto.INT64, [1, "T"]) for name in ("input_ids", "attention_mask")
    )
    graphs.save(
        tmp_path / "single.onnx", graphs.text_nodes(4, masked=True), [ids, mask], [graphs.vector("text_embeds", 4)]
    )
    embedder = await opened(text_model="single.onnx")

    assert await batches(telemetry, embedder, ["a car", "a dog"]) == [1, 1]


async def test_half_precision_graphs_are_fed_and_read_as_such(opened, tmp_path) -> None:
    half = helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT16, ["N", 3, 32, 32])
    nodes = [
        helper.make_node("Cast", ["pixel_values"], ["whole"], to=TensorProto.FLOAT),
        *graphs.picture_nodes(4, "vectors"),
        helper.make_node("Cast", ["vectors"], ["image_embeds"], to=TensorProto.FLOAT16),
    ]
    nodes[2].input[0] = "whole"
    output = helper.make_tensor_value_info("image_embeds", TensorProto.FLOAT16, ["N", 4])
    graphs.save(tmp_path / "half.onnx", nodes, [half], [output])

    vector = await (await opened(vision_model="half.onnx")).embed_picture(grey(200))

    assert vector.dtype == np.float32
    assert vector @ await (await opened()).embed_picture(grey(200)) == pytest.approx(1.0, abs=1e-3)


async def test_a_picture_that_gives_no_vector_fails_alone(opened, tmp_path) -> None:
    nodes = graphs.picture_nodes(4, "vectors")
    nodes += [helper.make_node("Sqrt", ["vectors"], ["image_embeds"])]
    graphs.save(tmp_path / "nan.onnx", nodes, [graphs.PIXELS], [graphs.vector("image_embeds", 4)])
    zero = {"mean": (0, 0, 0), "std": (1, 1, 1)}

    with pytest.raises(SettingsError, match="length nan for a sample"):
        await opened(vision_model="nan.onnx", **zero)
    embedder = await opened(**zero)
    black, white = await asyncio.gather(
        embedder.embed_picture(grey(0)), embedder.embed_picture(grey(255)), return_exceptions=True
    )
    assert isinstance(black, Poison)
    assert black.reason == "bad vector"
    assert np.linalg.norm(white) == pytest.approx(1.0)


@pytest.mark.parametrize("row", [[np.nan, 1.0], [np.inf, 1.0], [0.0, 0.0]])
def test_a_vector_without_direction_is_refused(row) -> None:
    assert isinstance(normalised(np.array(row, np.float32)), Poison)


def test_very_large_and_very_small_vectors_keep_their_direction() -> None:
    for scale in (1e-30, 1e30):
        assert normalised(np.array([3, 4], np.float32) * np.float32(scale)) == pytest.approx([0.6, 0.8])


async def test_towers_of_different_length_share_no_space(opened, tmp_path) -> None:
    graphs.text_graph(tmp_path / "longer.onnx", dim=6)

    with pytest.raises(SettingsError, match=r"vision\.onnx gives vectors of 4, longer\.onnx of 6"):
        await opened(text_model="longer.onnx")


async def test_graphs_that_are_something_else_are_refused_with_what_they_have(opened, tmp_path) -> None:
    extra = helper.make_tensor_value_info("region", TensorProto.FLOAT, ["N", 4])
    nodes, output = graphs.picture_nodes(4), graphs.vector("image_embeds", 4)
    graphs.save(tmp_path / "more.onnx", nodes, [graphs.PIXELS, extra], [output])

    for settings, said in (
        ({"vision_model": "text.onnx"}, r"embedding\.vision_model: needs one float input .* takes input_ids"),
        ({"text_model": "vision.onnx", "vision_model": "more.onnx"}, "nothing is known about the input region"),
        ({"text_model": "more.onnx"}, r"embedding\.text_model: no input input_ids; .*pixel_values"),
    ):
        with pytest.raises(SettingsError, match=said):
            await opened(**settings)


async def test_a_picture_size_that_the_graph_does_not_take_is_refused(opened, tmp_path) -> None:
    pixels = helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["N", 3, 48, 48])
    graphs.save(tmp_path / "fixed.onnx", graphs.picture_nodes(4), [pixels], [graphs.vector("image_embeds", 4)])

    with pytest.raises(SettingsError, match=r"embedding\.image_size: 32 does not fit; .*48, 48"):
        await opened(vision_model="fixed.onnx")
    assert (await opened(vision_model="fixed.onnx", image_size=48)).dim == 4


async def test_a_tokenizer_that_is_none_is_refused(opened, tmp_path) -> None:
    (tmp_path / "words.json").write_text("{}")

    with pytest.raises(SettingsError, match=r"embedding\.tokenizer: .*words\.json cannot be used"):
        await opened(tokenizer="words.json")
    with pytest.raises(SettingsError, match=r"embedding\.tokenizer: no file"):
        await opened(tokenizer="missing.json")


async def test_a_failed_model_says_so_in_its_state(opened, tmp_path, telemetry) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"junk")

    with pytest.raises(SettingsError):
        await opened(vision_model="broken.onnx")

    broken, text = telemetry.status().models
    assert (broken.name, broken.state) == ("broken.onnx", ModelState.FAILED)
    assert "broken.onnx cannot be used" in broken.detail
    assert text.state is ModelState.NOT_LOADED


async def test_texts_are_cut_after_the_last_token_that_counts(opened) -> None:
    embedder = await opened(max_tokens=8)

    one, other = [await embedder.embed_text("a car and a dog and " + end) for end in ("a bird " * 50, "a horse")]

    assert (one == other).all()


def prepared(picture: Image, **settings: object) -> np.ndarray:
    wide = Tensor("pixel_values", (None, 3, None, None), np.dtype(np.float32))
    graph = Graph(file=Path("x"), inputs=(wide,), outputs=(Tensor("image_embeds", (None, 4), np.dtype(np.float32)),))
    embedding = Embedding.model_validate({"image_size": 32, "mean": (0, 0, 0), "std": (1, 1, 1)} | settings)
    (pixels,) = PictureEncoder(graph, embedding).feeds([picture]).values()
    return pixels[0]


def test_pictures_become_planes_of_red_green_and_blue() -> None:
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[:] = (10, 20, 30)

    planes = prepared(picture)

    assert planes.shape == (3, 32, 32)
    assert planes[:, 0, 0] * 255 == pytest.approx([30, 20, 10])
    scaled = prepared(picture, mean=(0.5, 0.5, 0.5), std=(0.5, 0.25, 0.1))
    assert scaled[:, 5, 5] == pytest.approx([(30 / 255 - 0.5) / 0.5, (20 / 255 - 0.5) / 0.25, (10 / 255 - 0.5) / 0.1])


@pytest.mark.parametrize(("resize", "edge"), [("squash", 255), ("crop", 0)])
def test_a_wide_picture_is_squashed_or_its_centre_is_taken(resize, edge) -> None:
    picture = np.zeros((32, 96, 3), np.uint8)
    picture[:, :30] = 255

    planes = prepared(picture, resize=resize)

    assert planes[0, 0, 0] * 255 == pytest.approx(edge)
    assert planes[0, 0, -1] == 0


async def test_what_waits_at_the_end_is_answered(opened, stack) -> None:
    embedder = await opened()
    waiting = asyncio.create_task(embedder.embed_text("a car"))
    await asyncio.sleep(0)
    await stack.aclose()

    assert (await waiting).shape == (4,)
    with pytest.raises(RuntimeError, match="closed"):
        await embedder.embed_text("a car")
