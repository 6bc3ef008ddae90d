"""A sound as a prompt: what a net is conditioned on instead of words, small enough for an event and a journal.

E numbers in an embedding.
"""

import base64
import binascii
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import AeoliaError
from engine.params import MAX_PROMPT_CHARS, VOICES, Args

EXAMPLES: Final = MappingProxyType({f"/prompt/{v}/example": k for k, v in enumerate(VOICES)})
"""Addresses of the events that carry an example, and their voices. Never sent by a stranger: `/prompt/a/audio` names a
file, and what was heard in it becomes such an event."""

_MOST_NUMBERS: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """What was heard in a sound: its `embedding` (E,) float32 of unit length, in the space of the sentence embeddings
    (see models.clasp); `name` is shown where the words were. Not to be written to.
    """

    name: str
    embedding: NDArray[np.float32]

    def __post_init__(self) -> None:
        self.embedding.flags.writeable = False

    @property
    def args(self) -> Args:
        """As the arguments of an event: the name, and the embedding in base64 of little-endian float32."""
        return self.name, base64.b64encode(self.embedding.astype("<f4").tobytes()).decode()

    @classmethod
    def parse(cls, args: tuple[object, ...]) -> "Example":
        """From the arguments of an event. AeoliaError for what is no name and no embedding of unit length."""
        if len(args) != 2 or not all(isinstance(arg, str) for arg in args):
            raise AeoliaError("example: must be a name and an embedding in base64")
        name, coded = str(args[0]), str(args[1])
        if not 1 <= len(name) <= MAX_PROMPT_CHARS:
            raise AeoliaError(f"example: a name of {len(name)} characters; must have 1 to {MAX_PROMPT_CHARS}")
        try:
            raw = base64.b64decode(coded, validate=True)
        except (binascii.Error, ValueError):
            raise AeoliaError("example: the embedding is no base64") from None
        if len(raw) % 4 or not 0 < len(raw) <= 4 * _MOST_NUMBERS:
            raise AeoliaError(f"example: an embedding of {len(raw)} bytes; must be 1 to {_MOST_NUMBERS} float32")
        embedding = np.frombuffer(raw, "<f4").astype(np.float32)
        if not np.isfinite(embedding).all() or abs(float(np.linalg.norm(embedding.astype(np.float64))) - 1) > 1e-3:
            raise AeoliaError("example: the embedding must be finite and of length 1")
        return cls(name, embedding)
