"""A judge is any net of the right shape; everything else is refused in one line."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from engine.errors import AeoliaError
from models.evaluate.judge import load_judge
from tests.models.evaluate.conftest import sine, white

CLASSES = ("Low, deep", "Middle", "High", "Nothing")


def net(path: Path, name: str = "logmel", classes: int = len(CLASSES), bands: int = 64) -> None:
    """A net whose embedding (n, 4) is the mean of every 16 bands, and whose scores are the first `classes` of these."""
    take = np.zeros((bands, 4), np.float32)
    for k in range(4):
        take[16 * k : 16 * k + 16, k] = 1 / 16
    nodes = [
        helper.make_node("ReduceMean", [name, "axis"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "take"], ["embeddings"]),
        helper.make_node("Slice", ["embeddings", "zero", "classes", "one"], ["scores"]),
    ]
    constants = {"axis": [1], "zero": [0], "classes": [classes], "one": [1]}
    tensors = [helper.make_tensor(k, TensorProto.INT64, [1], v) for k, v in constants.items()]
    tensors.append(helper.make_tensor("take", TensorProto.FLOAT, take.shape, take.flatten()))
    graph = helper.make_graph(
        nodes,
        "judge",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 96, bands])],
        [helper.make_tensor_value_info(out, TensorProto.FLOAT, ["n", None]) for out in ("scores", "embeddings")],
        tensors,
    )
    graph.node[2].input.insert(3, "one")  # axes
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)


def table(path: Path, column: str = "display_name") -> None:
    path.write_text(f"index,{column}\n" + "".join(f'{k},"{name}"\n' for k, name in enumerate(CLASSES)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    net(tmp_path / "any.onnx")
    table(tmp_path / "names.csv")
    return tmp_path


def test_a_judge_names_what_it_hears(folder: Path) -> None:
    judge = load_judge(folder)
    assert judge.classes == CLASSES
    assert judge.name == "any"
    heard = judge.hear(sine(300, 3.0))
    assert heard.scores.shape == heard.embeddings.shape == (5, 4)
    assert judge.strongest(heard, 1) == ("Low, deep",)
    assert judge.strongest(judge.hear(sine(5000)), 2)[0] == "Nothing"
    assert len(judge.strongest(judge.hear(white()))) == 4


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "any.onnx").unlink(), "0 files \\*.onnx; must be a folder with exactly one"),
        (lambda f: net(f / "second.onnx"), "2 files"),
        (lambda f: (f / "any.onnx").write_text("no net"), "no net that onnxruntime"),
        (lambda f: net(f / "any.onnx", name="sound"), "must be 'logmel' of shape"),
        (lambda f: net(f / "any.onnx", bands=80), "must be 'logmel' of shape"),
        (lambda f: net(f / "any.onnx", classes=3), "must be scores \\(n, 4\\)"),
        (lambda f: table(f / "names.csv", "name"), "no column 'display_name'"),
        (lambda f: (f / "names.csv").write_bytes(b"\xff\xfe\xff"), "cannot be read"),
    ],
)
def test_what_is_no_judge_is_refused_in_one_line(folder: Path, spoil: object, said: str) -> None:
    assert callable(spoil)
    spoil(folder)
    with pytest.raises(AeoliaError, match=said) as error:
        load_judge(folder)
    assert str(error.value).startswith("judge ") or "onnxruntime" in str(error.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AeoliaError, match="no folder"):
        load_judge(tmp_path / "nowhere")
