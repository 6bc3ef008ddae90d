"""torch to ONNX: one function to export, three to make it smaller, one to measure what that cost."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from torch import Tensor, nn

from engine.bundle import onnx_session


def export(
    net: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    path: Path,
    dynamic: Mapping[str, Mapping[int, str]],
) -> None:
    """Writes net as one ONNX file. `dynamic` names the free axes of an input: {input: {axis: name}}."""
    axes: dict[str, dict[int, torch.export.Dim]] = {}
    dims = {n: torch.export.Dim(n, min=1, max=4096) for shape in dynamic.values() for n in shape.values()}
    for name in inputs:
        axes[name] = {axis: dims[dim] for axis, dim in dynamic.get(name, {}).items()}
    program = torch.onnx.export(
        net.eval(),
        kwargs=dict(inputs),
        input_names=list(inputs),
        output_names=list(outputs),
        dynamic_shapes=axes,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    if program is None:
        raise RuntimeError(f"{path.name}: torch exported nothing")
    program.save(str(path))


def quantize(path: Path) -> None:
    """Replaces the ONNX file by one with int8 weights per channel and activations quantised on the fly."""
    model = onnx.load(path)
    del model.graph.value_info[:]
    with TemporaryDirectory(dir=path.parent) as folder:
        source, target = Path(folder) / "source.onnx", Path(folder) / "target.onnx"
        onnx.save(model, source)
        quantize_dynamic(source, target, per_channel=True, weight_type=QuantType.QInt8)
        target.replace(path)


def halve(path: Path) -> None:
    """Replaces the ONNX file by one that keeps its large weights as fp16 and computes in fp32.

    Half the size on disk; onnxruntime folds the casts when it loads the file, so that speed is that of fp32.
    """
    model = onnx.load(path)
    kept, casts = [], []
    for weight in model.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < 1024:
            kept.append(weight)
            continue
        half = f"{weight.name}_fp16"
        kept.append(onnx.numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(onnx.helper.make_node("Cast", [half], [weight.name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:], model.graph.value_info[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def block_int8(path: Path) -> None:
    """Replaces the ONNX file by one whose matrix products have int8 weights, scaled in blocks of 16 inputs.

    The activations are quantised row by row (MatMulNBits, accuracy level 4). A product with one row is bound by memory:
    a quarter of the bytes makes it more than twice as fast.
    """
    quantiser = MatMulNBitsQuantizer(onnx.load(path), bits=8, block_size=16, is_symmetric=True, accuracy_level=4)
    quantiser.process()
    quantiser.model.save_model_to_file(str(path))


def run(path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.float32]]:
    """Outputs of an ONNX file, as the engine would run it."""
    return [np.asarray(output) for output in onnx_session(path).run(None, dict(inputs))]


def relative_error(ours: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """Root mean square of the difference over that of the reference."""
    return float(np.sqrt(np.mean((ours - reference) ** 2) / np.mean(reference**2)))
