"""Words to an embedding, by the bundle's sentence encoder. Any thread; one call at a time, the rest wait."""

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from engine.errors import AeoliaError

MAX_TOKENS = 128
"""Words beyond this many tokens are not read."""

REMEMBERED = 256


class Files(Protocol):
    """Where the encoder's files are: a Bundle, or a folder in training."""

    def path(self, role: str) -> Path: ...

    def session(self, role: str) -> onnxruntime.InferenceSession: ...


class TextEncoder:
    """Unit embeddings (384,) float32 of texts, not to be written to; the last REMEMBERED ones are kept."""

    def __init__(self, files: Files) -> None:
        self._session = files.session("text")
        tokenizer = files.path("tokenizer")
        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer))
        except Exception as error:  # noqa: BLE001 - tokenizers raises no narrower one
            raise AeoliaError(f"{tokenizer}: no tokenizer that can be read: {error}") from None
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._known: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = Lock()

    def encode(self, text: str) -> NDArray[np.float32]:
        """The embedding (384,) of a text; an empty one has an embedding too."""
        with self._lock:
            if text in self._known:
                self._known.move_to_end(text)
                return self._known[text]
            ids = np.array([self._tokenizer.encode(text).ids], np.int64)
            (embedding,) = self._session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
            found = np.array(embedding[0], np.float32)
            found.flags.writeable = False
            self._known[text] = found
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            return found
