"""The codec: a causal decoder that streams, an encoder of even latents."""

import math

import pytest
import torch

from engine.features import FEATURES
from engine.synthesis import NOISE_BANDS, NOISE_FRAMES, oscillator_hz
from models.codec import CodecConfig, Decoder, Encoder, FeatureAutoencoder, steadied

CONFIG = CodecConfig(8, 32, 2, 32, 3, 2)


@pytest.fixture
def decoder() -> Decoder:
    torch.manual_seed(0)
    net = Decoder(CONFIG)
    for p in net.parameters():  # away from the careful start, so that every path is heard
        torch.nn.init.normal_(p, std=0.2)
    return net.eval()


@torch.no_grad()
def test_decoder_is_causal(decoder: Decoder) -> None:
    given = torch.randn(2, 8, 20)
    changed = given.clone()
    changed[..., 13:] += 1
    for ours, theirs in zip(
        decoder(given, *decoder.state(2))[:3], decoder(changed, *decoder.state(2))[:3], strict=True
    ):
        torch.testing.assert_close(ours[:, :13], theirs[:, :13], atol=0, rtol=1e-5)
        assert not torch.allclose(ours[:, 13:], theirs[:, 13:])


@torch.no_grad()
@pytest.mark.parametrize("groups", [[1] * 12, [5, 7], [11, 1]], ids=str)
def test_streamed_equals_in_one_go(decoder: Decoder, groups: list[int]) -> None:
    given = torch.randn(2, 8, 12)
    whole, state = decoder(given, *decoder.state(2)), decoder.state(2)
    pieces = []
    for piece in given.split(groups, -1):
        *said, before, past = decoder(piece, *state)
        pieces.append(said)
        state = (before, past)
    for ours, theirs in zip(zip(*pieces, strict=True), whole[:3], strict=True):
        torch.testing.assert_close(torch.cat(list(ours), 1), theirs, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(state, whole[3:], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_amplitudes_are_what_the_synthesis_asks(decoder: Decoder) -> None:
    tone, noise, coherence, *_ = decoder(100 * torch.randn(1, 8, 5), *decoder.state())
    assert tone.shape == (1, 5, 2, len(oscillator_hz()))
    assert noise.shape == (1, 5, NOISE_FRAMES, 2, NOISE_BANDS)
    assert coherence.shape == (1, 5, NOISE_FRAMES, NOISE_BANDS)
    for gain in (tone, noise):
        assert gain.min() > 0
        assert gain.max() <= math.exp(2) * 1.0001
    assert coherence.min() >= 0
    assert coherence.max() <= 1


def test_latents_have_mean_0_and_variance_1_in_training() -> None:
    latents = Encoder(CONFIG).train()(torch.randn(4, FEATURES, 50) * 3 - 8)
    assert latents.shape == (4, 8, 50)
    torch.testing.assert_close(latents.mean((0, 2)), torch.zeros(8), atol=1e-5, rtol=0)
    torch.testing.assert_close(latents.var((0, 2)), torch.ones(8), atol=0.02, rtol=0)


def test_autoencoder_learns_with_the_noise_of_its_generator() -> None:
    torch.manual_seed(0)
    net = FeatureAutoencoder(CONFIG)
    features = torch.randn(2, FEATURES, 16)
    one, same, other = (net.loss(features, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other
    one.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_steadied_power_keeps_lines_and_levels_what_chance_scatters() -> None:
    line = torch.full((1, 1, 40), -3.0)
    torch.testing.assert_close(steadied(line), line)
    scattered = torch.distributions.Exponential(1.0).sample((1, 64, 400)).log()
    assert steadied(scattered).std() < 0.45 * scattered.std()
    assert steadied(scattered).exp().mean() == pytest.approx(1, abs=0.05)
