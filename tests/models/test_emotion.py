"""Directions of the emotions, found again where they were planted."""

import pytest
import torch
from torch import Tensor

from engine.errors import AeoliaError
from models.data.index import Entry
from models.emotion import directions, explained, pairs

PIECES, CHANNELS, FRAMES = 150, 8, 30


def planted(noise: float) -> tuple[Tensor, Tensor, list[tuple[int, int]], Tensor]:
    """Latents and dials of pieces in two moods each, with the truth."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.randn(4, CHANNELS, generator=generator)
    emotions = torch.rand(2 * PIECES, 4, generator=generator)
    piece = torch.randn(PIECES, CHANNELS, FRAMES, generator=generator).repeat(2, 1, 1)
    latents = piece + (emotions @ truth)[..., None] + noise * torch.randn(piece.shape, generator=generator)
    return latents, emotions, [(row, row + PIECES) for row in range(PIECES)], truth


@pytest.mark.parametrize(("noise", "tolerance"), [(0.0, 1e-3), (1.0, 0.1)])
def test_planted_directions_are_found(noise: float, tolerance: float) -> None:
    latents, emotions, couples, truth = planted(noise)
    found = directions(latents, emotions, couples, ridge=1e-3)
    error = float((found - truth).norm() / truth.norm())
    print(f"relative error {error:.1e}")
    assert error < tolerance
    assert explained(latents, emotions, couples, found) > 0.9


def test_the_ridge_only_shrinks() -> None:
    latents, emotions, couples, truth = planted(0.0)
    found = directions(latents, emotions, couples)
    cosine = torch.nn.functional.cosine_similarity(found, truth)
    assert (cosine > 0.99).all()
    assert (found.norm(dim=1) < truth.norm(dim=1) * 1.01).all()
    assert found.norm() < truth.norm()


def test_nothing_is_explained_where_nothing_was_planted() -> None:
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(2 * PIECES, CHANNELS, FRAMES, generator=generator)
    emotions, couples = torch.rand(2 * PIECES, 4, generator=generator), [(r, r + PIECES) for r in range(PIECES)]
    found = directions(latents, emotions, couples)
    assert explained(latents, emotions, couples, found) < 0.1
    assert found.norm(dim=1).max() < 0.3


def entry(pair: int | None) -> Entry:
    return Entry("x.flac", 0, 0, ("x",), (), (0.0, 0.0, 0.0, 0.0), (), (), (), pair)


def test_pairs_are_rows_of_one_piece() -> None:
    entries = tuple(entry(pair) for pair in (None, 0, 1, None, 1, 0, 1))
    assert sorted(pairs(entries)) == [(1, 5), (2, 4), (2, 6)]


def test_no_pairs_are_refused() -> None:
    with pytest.raises(AeoliaError, match="no pairs"):
        directions(torch.zeros(2, 3, 4), torch.zeros(2, 4), [])
