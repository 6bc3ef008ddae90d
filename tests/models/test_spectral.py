"""The energy distance: least for draws that are distributed like the target, not for their mean."""

import pytest
import torch
from torch import Tensor

from models.spectral import SpectralDistance

SOUNDS, N = 24, 8192


@pytest.fixture(scope="module")
def distance() -> SpectralDistance:
    return SpectralDistance()


def white(seed: int, level: float = 0.1) -> Tensor:
    return level * torch.randn(SOUNDS, N, generator=torch.Generator().manual_seed(seed))


def test_near_zero_for_draws_like_the_target(distance: SpectralDistance) -> None:
    same = distance.energy(white(0), white(1), white(2))
    between = distance.energy(white(0), white(1), white(1))  # 2 d(x, y), with nothing taken away: the scale
    # E = 2 d(x, y) - d(y, y') tends to d(x, x'), which does not depend on the decoder: half of that scale.
    print(f"energy {same:.4f}, scale {between:.4f}")
    assert abs(same - between / 2) < 0.02 * between


@pytest.mark.parametrize("level", [0.05, 0.2])
def test_more_for_another_level(distance: SpectralDistance, level: float) -> None:
    like = distance.energy(white(0), white(1), white(2))
    assert distance.energy(white(0), white(1, level), white(2, level)) > like + 0.1


def test_more_for_another_colour(distance: SpectralDistance) -> None:
    dark = [torch.nn.functional.avg_pool1d(white(s)[:, None], 3, 1, 1)[:, 0] for s in (1, 2)]
    like = distance.energy(white(0), white(1), white(2))
    assert distance.energy(white(0), dark[0], dark[1]) > like + 0.1


def test_prefers_noise_to_one_fixed_noise(distance: SpectralDistance) -> None:
    fixed = white(1)
    assert distance.energy(white(0), fixed, fixed) > 1.5 * distance.energy(white(0), white(1), white(2))


def test_prefers_noise_to_its_mean(distance: SpectralDistance) -> None:
    """The mean magnitudes of noise are nearer to it than another draw is, and yet they must not win."""

    class Told(SpectralDistance):
        """Takes every sound but the target for one of the mean magnitudes of white noise."""

        def spectra(self, sound: Tensor, *windows: tuple[int, ...]) -> list[Tensor]:
            found = super().spectra(sound, *windows)
            if sound is target:
                return found
            return [p.mean((0, 2), keepdim=True).expand_as(p) for p in found]

    target = white(0)
    like = distance.energy(target, white(1), white(2))
    assert Told().energy(target, white(1), white(1)) > like + 0.1


def test_a_tone_must_be_where_it_is(distance: SpectralDistance) -> None:
    time = torch.arange(N) / 48_000

    def tone(hz: float) -> Tensor:
        return 0.3 * torch.sin(2 * torch.pi * hz * time).expand(SOUNDS, -1)

    right = distance.energy(tone(440), tone(440), tone(440))
    assert right == pytest.approx(0, abs=1e-5)
    assert distance.energy(tone(440), tone(460), tone(460)) > 0.2


def test_soft_sounds_count_as_much(distance: SpectralDistance) -> None:
    loud, soft = (distance.energy(white(0, level), white(1, level / 2), white(2, level / 2)) for level in (0.5, 0.05))
    assert soft == pytest.approx(float(loud), rel=0.05)


def test_silence_has_a_finite_gradient(distance: SpectralDistance) -> None:
    draw = torch.zeros(SOUNDS, N, requires_grad=True)
    distance.energy(torch.zeros(SOUNDS, N), draw, torch.zeros(SOUNDS, N)).backward()
    assert draw.grad is not None
    assert draw.grad.isfinite().all()
