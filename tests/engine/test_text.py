"""Words to embeddings."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from engine import text
from engine.bundle import Bundle
from engine.errors import AeoliaError
from engine.text import TextEncoder


class Counting:
    """The files of a bundle; counts how often its encoder runs."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle, self.runs = bundle, 0

    def path(self, role: str) -> Path:
        return self.bundle.path(role)

    def session(self, role: str) -> "onnxruntime.InferenceSession | Counting":
        self._session = self.bundle.session(role)
        return self

    def run(self, *args: Any) -> Any:
        self.runs += 1
        return self._session.run(*args)


@pytest.fixture(scope="module")
def words(tiny_bundle: Bundle) -> TextEncoder:
    return TextEncoder(tiny_bundle)


@pytest.mark.parametrize("said", ["rain on a tin roof", "", " ", "🌧️🎻", "雨", "a" * 1000, "line\nbreak\ttab\0"])
def test_any_text_has_a_unit_embedding(words: TextEncoder, said: str) -> None:
    embedding = words.encode(said)
    assert embedding.shape == (384,)
    assert embedding.dtype == np.float32
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)


def test_like_meanings_are_near(words: TextEncoder) -> None:
    rain, shower, brass = (words.encode(t) for t in ("rain on a roof", "a heavy rain shower", "a brass fanfare"))
    assert rain @ shower > rain @ brass + 0.2


def test_words_beyond_the_limit_are_not_read(words: TextEncoder) -> None:
    full = "rain " * text.MAX_TOKENS
    np.testing.assert_array_equal(words.encode(full + "a brass fanfare"), words.encode(full + "wind"))


def test_the_last_ones_are_kept(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "REMEMBERED", 2)
    files = Counting(tiny_bundle)
    words = TextEncoder(files)
    for said in ("a", "b", "a", "c", "a"):  # b is the one that was used longest ago
        words.encode(said)
    assert files.runs == 3
    words.encode("b")
    assert files.runs == 4


def test_what_is_kept_cannot_be_written_to(words: TextEncoder) -> None:
    with pytest.raises(ValueError, match="read-only"):
        words.encode("rain")[0] = 1


def test_many_threads_hear_what_one_hears(tiny_bundle: Bundle, words: TextEncoder) -> None:
    said = [f"{n} bells" for n in range(8)] * 3
    shared = TextEncoder(tiny_bundle)
    with ThreadPoolExecutor(4) as pool:
        for ours, theirs in zip(pool.map(shared.encode, said), map(words.encode, said), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_a_tokenizer_that_is_none_is_named(tiny_bundle: Bundle, tmp_path: Path) -> None:
    class Broken(Counting):
        def path(self, role: str) -> Path:
            return tmp_path / "tokenizer.json"

    (tmp_path / "tokenizer.json").write_text('{"version": 1}')
    with pytest.raises(AeoliaError, match=r"tokenizer\.json"):
        TextEncoder(Broken(tiny_bundle))
