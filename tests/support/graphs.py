"""Small ONNX graphs, made for one test each: towers whose vectors can be told beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

VOCABULARY = 30_522
"""Size of the shipped tokenizer's vocabulary."""

PIXELS = helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["N", 3, "H", "W"])
IDS = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["N", "T"])
MASK = helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["N", "T"])


def picture_nodes(dim: int, output: str = "image_embeds") -> list[onnx.NodeProto]:
    """The mean of each channel, mapped to `dim` numbers by a fixed matrix."""
    matrix = np.linspace(-1, 1, 3 * dim, dtype=np.float32).reshape(3, dim)
    return [
        helper.make_node("Constant", [], ["planes"], value=numpy_helper.from_array(np.array([2, 3]))),
        helper.make_node("ReduceMean", ["pixel_values", "planes"], ["means"], keepdims=0),
        helper.make_node("Constant", [], ["matrix"], value=numpy_helper.from_array(matrix)),
        helper.make_node("MatMul", ["means", "matrix"], [output]),
    ]


def text_nodes(dim: int, output: str = "text_embeds", *, masked: bool) -> list[onnx.NodeProto]:
    """The sum of a fixed table's rows of all tokens, without those that the mask hides."""
    table = np.random.default_rng(3).standard_normal((VOCABULARY, dim)).astype(np.float32)
    weight = [
        helper.make_node("Cast", ["attention_mask"], ["flat"], to=TensorProto.FLOAT),
        helper.make_node("Constant", [], ["last"], value=numpy_helper.from_array(np.array([2]))),
        helper.make_node("Unsqueeze", ["flat", "last"], ["weight"]),
        helper.make_node("Mul", ["rows", "weight"], ["weighted"]),
    ]
    return [
        helper.make_node("Constant", [], ["table"], value=numpy_helper.from_array(table)),
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        *(weight if masked else [helper.make_node("Identity", ["rows"], ["weighted"])]),
        helper.make_node("Constant", [], ["tokens"], value=numpy_helper.from_array(np.array([1]))),
        helper.make_node("ReduceSum", ["weighted", "tokens"], [output], keepdims=0),
    ]


def across_batch(name: str, output: str) -> list[onnx.NodeProto]:
    """Adds the largest element of the whole batch: vectors depend on their neighbours, as under shared scales."""
    return [
        helper.make_node("ReduceMax", [name], ["largest"], keepdims=1),
        helper.make_node("Add", [name, "largest"], [output]),
    ]


def vector(name: str, dim: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", dim])


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
) -> Path:
    """Write a graph and give its path."""
    graph = helper.make_graph(nodes, path.stem, inputs, outputs)
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)]), path)
    return path


def picture_graph(path: Path, *, dim: int = 4) -> Path:
    return save(path, picture_nodes(dim), [PIXELS], [vector("image_embeds", dim)])


def text_graph(path: Path, *, dim: int = 4, masked: bool = True) -> Path:
    inputs = [IDS, MASK] if masked else [IDS]
    return save(path, text_nodes(dim, masked=masked), inputs, [vector("text_embeds", dim)])


def joint_graph(path: Path, *, dim: int = 4) -> Path:
    """Both towers in one graph, as Jina CLIP v2 is exported."""
    nodes = [*picture_nodes(dim), *text_nodes(dim, masked=True)]
    return save(path, nodes, [IDS, MASK, PIXELS], [vector("text_embeds", dim), vector("image_embeds", dim)])
