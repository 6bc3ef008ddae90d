"""The Frechet distance of two sets of embeddings, each taken for a Gaussian (Kilgour et al. 2019, "FAD").

n, m rows; E numbers in an embedding.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32] | NDArray[np.float64]

ENOUGH_ROWS = 1500
"""From fewer rows than this the distance comes out clearly too large: compare only sets of equal size."""


def frechet(a: Float, b: Float) -> float:
    """|mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^1/2) of (n, E) and (m, E).

    tr (S_a S_b)^1/2 is taken from the eigenvalues of the symmetric S_a^1/2 S_b S_a^1/2, which are the same and can't
    come out complex. ValueError where a set has fewer than two rows.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"sets of {len(a)} and {len(b)} rows: must be at least 2 each")
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    cov_a, cov_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ cov_b @ root), 0.0, None)).sum()
    return float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * cross)


def across_halves(first: Sequence[Float], second: Sequence[Float], seed: int, draws: int = 5) -> float:
    """Mean distance of a random half of the sounds in one version to the other half in another version; each sound is a
    set of rows (n, E).

    With the same versions it is the distance of two random halves: what no difference looks like at that size.
    """
    rng, found = np.random.default_rng(seed), []
    for _ in range(draws):
        order = rng.permutation(len(first))
        half = len(order) // 2
        here, there = [first[k] for k in order[:half]], [second[k] for k in order[half:]]
        found.append(frechet(np.concatenate(here), np.concatenate(there)))
    return float(np.mean(found))
