"""Every net says in ONNX what it says in torch, with whole and with smaller weights."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from engine.bundle import Bundle, sha256
from export.bundle import BLOCK_INT8, HALF, PARITY, Smaller, export_checked, worst_error
from export.nets import EmotionShift, FeatureEncoder, StreamingDecoder, Student
from export.onnx import export, halve, quantize, relative_error, run
from models.codec import Decoder
from models.sentences import SentenceEncoder
from models.work import Recipe, Work

SMALLER = {"student": HALF, "decoder": BLOCK_INT8, "encoder": HALF, "emotion": HALF}


@pytest.fixture(scope="module")
def nets(tiny_work: Path) -> dict[str, Any]:
    work = Work(tiny_work, Recipe.tiny())
    return {
        "student": Student(work.denoiser("student")),
        "decoder": StreamingDecoder(work.decoder()),
        "encoder": FeatureEncoder(work.encoder()),
    }


@pytest.mark.parametrize("role", SMALLER)
def test_what_the_manifest_says_was_measured(tiny_bundle: Bundle, role: str) -> None:
    measured = tiny_bundle.manifest.measured["parity"][role]
    smaller: Smaller = SMALLER[role]
    print(f"{role}: fp32 {measured['fp32_error']:.1e}, {smaller.weights} weights {measured['smaller_error']:.1e}")
    assert measured["fp32_error"] < PARITY
    assert measured["weights"] == (smaller.weights if measured["smaller_error"] < smaller.error else "fp32")


@pytest.mark.parametrize("role", ["student", "decoder", "encoder"])
def test_the_files_of_a_bundle_equal_torch(tiny_bundle: Bundle, nets: dict[str, Any], role: str) -> None:
    error = worst_error(nets[role], nets[role], tiny_bundle.path(role))
    measured = tiny_bundle.manifest.measured["parity"][role]
    print(f"{role}: {error:.1e}")
    said = measured["fp32_error" if measured["weights"] == "fp32" else "smaller_error"]
    assert error == pytest.approx(said, rel=0.05)
    assert error < SMALLER[role].error


def test_the_decoder_says_frame_by_frame_what_torch_says_at_once(tiny_work: Path) -> None:
    whole = Work(tiny_work, Recipe.tiny()).decoder()
    streaming, frames = StreamingDecoder(whole), 20
    latents = torch.randn(1, whole.config.latent_channels, frames, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        wanted = whole(latents, *whole.state())[:3]
        state = [torch.zeros_like(t) for name, t in streaming.example(torch.Generator()).items() if name != "latents"]
        for frame in range(frames):
            *said, before, past = streaming(latents[..., frame], *state)
            state = [before, past]
            for ours, theirs in zip(said, wanted, strict=True):
                np.testing.assert_allclose(ours[0], theirs[0, frame].flatten(), rtol=1e-4, atol=1e-7)


def test_the_emotion_shift_adds_its_directions_by_the_dials(tiny_bundle: Bundle) -> None:
    channels = tiny_bundle.manifest.latent_channels
    latents = np.random.default_rng(0).standard_normal((1, channels, 5)).astype(np.float32)

    def moved(*delta: float) -> Any:
        return run(tiny_bundle.path("emotion"), {"latents": latents, "delta": np.array([delta], np.float32)})[0]

    np.testing.assert_array_equal(moved(0, 0, 0, 0), latents)
    np.testing.assert_allclose(moved(1, 0, 0, 0) + moved(0, 0.5, 0, 0) - latents, moved(1, 0.5, 0, 0), atol=1e-5)
    shift = moved(0, 0, 1, 0) - latents
    np.testing.assert_allclose(shift, np.broadcast_to(shift[..., :1], shift.shape), atol=1e-6)
    assert np.abs(shift).max() > 0


@pytest.fixture
def tiny_decoder(tmp_path: Path) -> tuple[StreamingDecoder, Path]:
    """A decoder net as ONNX with whole weights."""
    torch.manual_seed(0)
    net, path = StreamingDecoder(Decoder(Recipe.tiny().codec)).eval(), tmp_path / "decoder.onnx"
    export(net, net.example(torch.Generator().manual_seed(0)), net.outputs, path, {})
    return net, path


def test_halved_weights_are_half_the_file_and_near(tiny_decoder: tuple[StreamingDecoder, Path]) -> None:
    net, path = tiny_decoder
    whole, size = worst_error(net, net, path), path.stat().st_size
    halve(path)
    error = worst_error(net, net, path)
    print(f"whole {whole:.1e}, half {error:.1e}, {path.stat().st_size / size:.2f} of the size")
    assert whole < PARITY
    assert error < HALF.error
    assert path.stat().st_size < 0.65 * size
    large = [w for w in onnx.load(path).graph.initializer if np.prod(w.dims) >= 1024]
    assert large
    assert all(w.data_type != onnx.TensorProto.FLOAT for w in large)


def test_a_net_whose_onnx_says_nonsense_is_seen(tiny_bundle: Bundle) -> None:
    nonsense = EmotionShift(torch.full((4, tiny_bundle.manifest.latent_channels), float("nan")))
    assert np.isnan(worst_error(nonsense, nonsense, tiny_bundle.path("emotion")))


def test_weights_too_large_for_half_stay_whole(tmp_path: Path) -> None:
    net = EmotionShift(torch.full((4, 300), 1e5))
    with np.errstate(over="ignore"):
        said = export_checked(net, tmp_path / "emotion.onnx", {"latents": {2: "frames"}})
    assert said["weights"] == "fp32"
    assert worst_error(net, net, tmp_path / "emotion.onnx") < PARITY
    assert [path.name for path in tmp_path.iterdir()] == ["emotion.onnx"]


def test_relative_error() -> None:
    one = np.ones(4, np.float32)
    assert relative_error(one, one) == 0
    assert relative_error(1.5 * one, one) == pytest.approx(0.5)
    assert np.isnan(relative_error(np.full(4, np.nan, np.float32), one))


@pytest.mark.filterwarnings("ignore:# The axis name")  # ids and mask share their axis, which is meant
def test_sentence_encoder_in_int8(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, path = SentenceEncoder(200, 40, 64, 2, 4, 128).eval(), tmp_path / "text.onnx"
    ids = torch.tensor([[1, 5, 9, 2]])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    export(net, inputs, ["sentence_embedding", "token_embeddings"], path, {name: {1: "tokens"} for name in inputs})
    longer = {"input_ids": torch.arange(30)[None], "attention_mask": torch.ones(1, 30, dtype=torch.int64)}
    with torch.no_grad():
        reference = [said.numpy() for said in net(**longer)]
    whole = worst(path, longer, reference)
    before = sha256(path)
    quantize(path)
    eighth = worst(path, longer, reference)
    print(f"whole {whole:.1e}, int8 {eighth:.1e}")
    assert sha256(path) != before
    assert whole < PARITY
    assert eighth < 0.05


def worst(path: Path, inputs: dict[str, torch.Tensor], reference: list[np.ndarray]) -> float:
    said = run(path, {name: t.numpy() for name, t in inputs.items()})
    return max(relative_error(ours, theirs) for ours, theirs in zip(said, reference, strict=True))


@torch.no_grad()
def test_sentence_encoder_does_not_hear_padding() -> None:
    net = SentenceEncoder(200, 40, 64, 2, 4, 128).eval()
    ids, mask = torch.tensor([[1, 5, 9, 2, 0, 0]]), torch.tensor([[1, 1, 1, 1, 0, 0]])
    alone, tokens = net(ids[:, :4], mask[:, :4])
    padded, more = net(ids, mask)
    torch.testing.assert_close(padded, alone, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(more[:, :4], tokens, atol=1e-5, rtol=1e-5)
    assert alone.norm() == pytest.approx(1, abs=1e-5)
