"""Which way each emotion moves the latents: directions fitted on pairs of the same piece in different moods.

For each pair of renders of one seed, the difference of the mean latents is regressed on the difference of the dials
(ridge regression). The engine adds a direction to latents the moment a dial moves, long before the generator has made
new ones; directions in latent space as an edit: Haerkoenen et al. 2020 ("GANSpace").
P pairs, C latent channels, T latent frames.
"""

from collections import defaultdict

import torch
from torch import Tensor

from engine.errors import AeoliaError
from models.data.index import Entry


def pairs(entries: tuple[Entry, ...]) -> list[tuple[int, int]]:
    """Rows of the entries that are the same piece in different moods."""
    rows = defaultdict(list)
    for row, entry in enumerate(entries):
        if entry.pair is not None:
            rows[entry.pair].append(row)
    return [(group[0], other) for group in rows.values() for other in group[1:]]


def directions(latents: Tensor, dials: Tensor, couples: list[tuple[int, int]], ridge: float = 1.0) -> Tensor:
    """Directions (4, C), latents a dial of 10 moves: latents (M, C, T), dials (M, 4) / 10.

    AeoliaError where there are no couples: nothing is known of the dials then.
    """
    moved, turned = differences(latents, dials, couples)
    found: Tensor = torch.linalg.solve(turned.T @ turned + ridge * torch.eye(4), turned.T @ moved)
    return found


def differences(latents: Tensor, dials: Tensor, couples: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """How the mean latents (P, C) and the dials (P, 4) differ in each couple."""
    if not couples:
        raise AeoliaError("the training sounds have no pairs of one piece in two moods; must be at least one")
    first, second = torch.tensor(couples).T
    means = latents.mean(2)
    return means[second] - means[first], dials[second] - dials[first]


def explained(latents: Tensor, dials: Tensor, couples: list[tuple[int, int]], found: Tensor) -> float:
    """Share of the variance of the pairs' differences that the directions explain."""
    moved, turned = differences(latents, dials, couples)
    return float(1 - (moved - turned @ found).square().sum() / moved.square().sum())
