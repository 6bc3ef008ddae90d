"""The ears by which Frechet distances are taken: the judge's embeddings where there is one, and MFCCs in any case.

P patches, E numbers in an embedding.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from models.evaluate.judge import Judge
from models.evaluate.logmel import mfcc

Patches = NDArray[np.float32]
"""(P, 96, 64), log-mel."""
Rows = NDArray[np.float32]
"""(P, E)"""
OWN = "MFCC"


def embedders(judge: Judge | None) -> Mapping[str, Callable[[Patches], Rows]]:
    """What turns the patches of a sound into rows, by its name in the report; OWN is the last."""
    own: dict[str, Callable[[Patches], Rows]] = {OWN: mfcc}
    if judge is None:
        return own

    def embed(patch: Patches) -> Rows:
        return judge.look(patch).embeddings

    return {f"judge {judge.name}": embed, **own}
