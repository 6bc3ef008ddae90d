"""Words to embeddings."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from engine import text
from engine.bundle import CONDITION_TOKENS, Bundle
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
def test_any_text_has_a_unit_embedding_and_at_most_so_many_tokens(words: TextEncoder, said: str) -> None:
    found = words.encode(said)
    assert found.sentence.shape == (384,)
    assert found.tokens.shape == (CONDITION_TOKENS, 384)
    assert {found.sentence.dtype, found.tokens.dtype, found.mask.dtype} == {np.dtype(np.float32)}
    assert np.linalg.norm(found.sentence) == pytest.approx(1, abs=1e-5)
    assert np.isfinite(found.tokens).all()
    assert (found.tokens[found.mask == 0] == 0).all()


def test_each_word_is_a_token_and_an_empty_text_has_none(words: TextEncoder) -> None:
    for said, count in (("", 0), ("rain", 1), ("rain on a tin roof", 5), ("rain " * 30, CONDITION_TOKENS)):
        mask = words.encode(said).mask
        assert mask.tolist() == [1.0] * count + [0.0] * (CONDITION_TOKENS - count)


def test_like_meanings_are_near(words: TextEncoder) -> None:
    rain, shower, brass = (
        words.encode(t).sentence for t in ("rain on a roof", "a heavy rain shower", "a brass fanfare")
    )
    assert rain @ shower > rain @ brass + 0.2


def test_words_beyond_the_limit_are_not_read(words: TextEncoder) -> None:
    full = "rain " * text.MAX_TOKENS
    ours, theirs = words.encode(full + "a brass fanfare"), words.encode(full + "wind")
    np.testing.assert_array_equal(ours.sentence, theirs.sentence)


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
        words.encode("rain").sentence[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        words.encode("rain").tokens[0, 0] = 1


def test_many_threads_hear_what_one_hears(tiny_bundle: Bundle, words: TextEncoder) -> None:
    said = [f"{n} bells" for n in range(8)] * 3
    shared = TextEncoder(tiny_bundle)
    with ThreadPoolExecutor(4) as pool:
        for ours, theirs in zip(pool.map(shared.encode, said), map(words.encode, said), strict=True):
            np.testing.assert_array_equal(ours.sentence, theirs.sentence)
            np.testing.assert_array_equal(ours.tokens, theirs.tokens)


def test_a_tokenizer_that_is_none_is_named(tiny_bundle: Bundle, tmp_path: Path) -> None:
    class Broken(Counting):
        def path(self, role: str) -> Path:
            return tmp_path / "tokenizer.json"

    (tmp_path / "tokenizer.json").write_text('{"version": 1}')
    with pytest.raises(AeoliaError, match=r"tokenizer\.json"):
        TextEncoder(Broken(tiny_bundle))
