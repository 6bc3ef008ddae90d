"""Words to what a net is conditioned on, by the bundle's sentence encoder. Any thread; one call at a time, others wait.

E numbers in an embedding.
"""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from engine.bundle import CONDITION_TOKENS
from engine.errors import AeoliaError
from engine.example import Example

MAX_TOKENS = 128
"""Words beyond this many tokens are not read."""

REMEMBERED = 256

Float = NDArray[np.float32]


class Files(Protocol):
    """Where the encoder's files are: a Bundle, or a folder in training."""

    def path(self, role: str) -> Path: ...

    def session(self, role: str) -> onnxruntime.InferenceSession: ...


@dataclass(frozen=True, eq=False)
class TextCondition:
    """A text as a whole, `sentence` (E,) of unit length, and word by word: `tokens` (CONDITION_TOKENS, E), where `mask`
    (CONDITION_TOKENS,) is 1, and zeros where it is 0. Not to be written to.
    """

    sentence: Float
    tokens: Float
    mask: Float

    def __post_init__(self) -> None:
        for array in (self.sentence, self.tokens, self.mask):
            array.flags.writeable = False

    @classmethod
    def of(cls, sentence: Float, tokens: Float) -> "TextCondition":
        """Of an embedding (E,) and those (L, E) of any number of tokens."""
        kept = tokens[:CONDITION_TOKENS]
        padded = np.zeros((CONDITION_TOKENS, len(sentence)), np.float32)
        padded[: len(kept)] = kept
        return cls(sentence, padded, (np.arange(CONDITION_TOKENS) < len(kept)).astype(np.float32))


class TextEncoder:
    """What texts say; the last REMEMBERED ones are kept."""

    def __init__(self, files: Files) -> None:
        self._session = files.session("text")
        tokenizer = files.path("tokenizer")
        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer))
        except Exception as error:  # noqa: BLE001 - tokenizers raises no narrower one
            raise AeoliaError(f"{tokenizer}: no tokenizer that can be read: {error}") from None
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._known: OrderedDict[str, TextCondition] = OrderedDict()
        self._lock = Lock()

    def condition(self, prompt: str | Example) -> TextCondition:
        """What words say, or what was heard in an example, which has no tokens."""
        if isinstance(prompt, str):
            return self.encode(prompt)
        return TextCondition.of(prompt.embedding, np.zeros((0, len(prompt.embedding)), np.float32))

    def encode(self, text: str) -> TextCondition:
        """What a text says; an empty one has no tokens, and an embedding all the same."""
        with self._lock:
            if text in self._known:
                self._known.move_to_end(text)
                return self._known[text]
            ids = np.array([self._tokenizer.encode(text).ids], np.int64)
            sentence, tokens = self._session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
            found = TextCondition.of(np.array(sentence[0], np.float32), tokens[0, 1:-1])  # without [CLS] and [SEP]
            self._known[text] = found
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            return found
