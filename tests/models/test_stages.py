"""The five trainings, each for real, for seconds."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import models.chunks
from engine.bundle import Bundle
from engine.errors import AeoliaError
from engine.text import TextEncoder
from models import checkpoint
from models.chunks import Chunks, draw, noisy
from models.corpus import open_corpus
from models.denoiser import NO_EMOTION, Conditions
from models.stages import run
from models.work import Recipe, Work

ALL = ("encoder", "decoder", "clasp", "teacher", "student")


class PowerError(Exception):
    """The power fails."""


@pytest.fixture
def words(tiny_bundle: Bundle) -> TextEncoder:
    return TextEncoder(tiny_bundle)


@pytest.fixture
def work(tiny_work: Path) -> Work:
    return Work(tiny_work, Recipe.tiny())


@pytest.mark.parametrize("stage", ALL)
def test_resumed_equals_unbroken_bit_for_bit(
    work: Work, words: TextEncoder, stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = [Work(tmp_path / name, work.recipe) for name in ("unbroken", "resumed")]
    for copy in copies:
        copy.folder.mkdir()
        copy.data.symlink_to(work.data)
        for name in ("latents", "captions", "clasp", "teacher"):
            if name != stage:
                shutil.copy(work.path(name), copy.path(name))
    run(copies[0], stage, words)
    save = checkpoint.save

    def save_and_fail(*args: object) -> None:
        save(*args)  # type: ignore[arg-type] # passed on as they come
        raise PowerError

    monkeypatch.setattr(checkpoint, "save", save_and_fail)
    with pytest.raises(PowerError):
        run(copies[1], stage, words)
    monkeypatch.setattr(checkpoint, "save", save)
    assert checkpoint.load(copies[1].path(stage))[1]["step"] == 4
    run(copies[1], stage, words)
    theirs, ours = (checkpoint.load(copy.path(stage))[0] for copy in copies)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_latents_are_of_unit_variance_and_kept(work: Work) -> None:
    corpus = open_corpus(work.data)
    latents = work.latents(corpus)
    assert latents.shape == (len(corpus.entries), work.recipe.codec.latent_channels, corpus.frames)
    assert torch.equal(latents, work.latents(corpus))
    assert latents.isfinite().all()


def test_sounds_on_disk_are_those_of_the_files(work: Work) -> None:
    corpus = open_corpus(work.data)
    crop = corpus.crop(3, 5, 2)
    assert crop.shape == (2, 2048)
    assert abs(crop).max() <= 1
    assert crop.dtype == "float32"
    assert torch.equal(
        torch.from_numpy(crop), torch.from_numpy(corpus.sounds[3, :, 5 * 1024 : 7 * 1024] / 32768).float()
    )
    assert corpus.dials().shape == (len(corpus.entries), 4)
    assert -1 < corpus.dials().min() <= corpus.dials().max() <= 1


def test_chunks_are_pieces_of_sounds_with_their_own_words_and_context(
    work: Work, words: TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for noise in ("UNCLEAR_SENTENCE", "UNCLEAR_TOKENS", "AT_REST"):
        monkeypatch.setattr(models.chunks, noise, 0.0)
    chunks = Chunks(work, words)
    x0, given = chunks.batch(200, torch.Generator().manual_seed(0))
    config = work.recipe.denoiser
    assert x0.shape == (200, config.latent_channels, config.chunk_frames)
    assert torch.equal(given.context, x0 * given.mask)
    lengths = given.mask.sum((1, 2)).int()
    assert (given.mask[:, 0] == (torch.arange(config.chunk_frames) < lengths[:, None]).float()).all()
    full, none = ((lengths == n).float().mean() for n in (config.context_frames, 0))
    assert 0.4 < full < 0.75
    assert 0.2 < none < 0.5
    assert lengths.max() == config.context_frames
    corpus = open_corpus(work.data)
    for row in range(20):
        sound = next(
            s
            for s, latents in enumerate(chunks.latents)
            if (latents.unfold(1, config.chunk_frames, 1) == x0[row][:, None]).all((0, 2)).any()
        )
        assert torch.equal(given.emotion[row], corpus.dials()[sound])
        captions = [words.encode(text) for text in corpus.entries[sound].captions]
        if torch.allclose(given.text[row], chunks.sounds[sound], atol=1e-5):
            assert not given.tokens_mask[row].any()
            continue
        said = next(c for c in captions if np.allclose(given.text[row], c.sentence, atol=1e-5))
        np.testing.assert_allclose(given.tokens[row], said.tokens, atol=5e-3)
        if given.tokens_mask[row].any():
            np.testing.assert_array_equal(given.tokens_mask[row], said.mask)
    alone = (given.tokens_mask.sum(1) == 0).float().mean()
    assert 0.1 < alone < 0.3


def test_words_are_heard_as_clearly_as_they_are_said_or_less(work: Work, words: TextEncoder) -> None:
    chunks = Chunks(work, words)
    _, given = chunks.batch(400, torch.Generator().manual_seed(0))
    assert torch.allclose(given.text.norm(dim=1), torch.ones(400), atol=1e-5)
    clearest = (given.text @ chunks.captions.captions.sentences.T).amax(1)[given.tokens_mask.any(1)]
    assert clearest.min() > 0.4
    assert clearest.max() > 0.99
    assert 0.6 < clearest.median() < 0.9


def test_noise_has_the_size_of_what_it_is_added_to() -> None:
    x, generator = torch.tensor([[3.0], [0.0]]) * torch.ones(2, 10_000), torch.Generator().manual_seed(0)
    added = noisy(x, torch.full((2, 1), 0.5), generator) - x
    assert abs(added[0].std() - 1.5) < 0.05
    assert not added[1].any()


def test_a_checkpoint_says_how_it_was_made(work: Work) -> None:
    for stage in ALL:
        meta = checkpoint.load(work.path(stage))[1]
        assert meta["step"] == 8
        assert meta["seconds"] > 0
        assert meta["schedule"]["steps"] == 8
        assert meta.keys() & {"codec", "clasp", "denoiser"}


def test_the_student_hears_guidance_once_it_is_trained(work: Work) -> None:
    student, teacher = (work.denoiser(stage) for stage in ("student", "teacher"))
    assert student.guidance[2].get_parameter("weight").abs().max() > 0
    assert not any(p.requires_grad for p in [*student.parameters(), *teacher.parameters()])
    given = Conditions(
        torch.zeros(1, 8, 16), torch.zeros(1, 1, 16), torch.zeros(1, 384),
        torch.zeros(1, 24, 384), torch.zeros(1, 24), torch.zeros(1, 4),
    )  # fmt: skip
    x, t = torch.randn(1, 8, 16), torch.ones(1)
    loud, soft = (student(x, t, given, torch.full((1,), scale)) for scale in (1.0, 6.0))
    assert not torch.equal(loud, soft)


def test_a_checkpoint_of_other_sizes_is_refused(work: Work) -> None:
    with pytest.raises(AeoliaError, match="its sizes are not those of the recipe"):
        Work(work.folder, Recipe()).decoder()
    other = replace(work.recipe.denoiser, widths=(16, 32))
    with pytest.raises(AeoliaError, match="teacher"):
        Work(work.folder, replace(work.recipe, denoiser=other)).denoiser("teacher")


def test_an_unknown_stage_is_refused(work: Work, words: TextEncoder) -> None:
    with pytest.raises(ValueError, match="must be one of encoder, decoder, clasp, teacher, student"):
        run(work, "vocoder", words)


def test_draws_cover_their_range() -> None:
    assert sorted(set(draw(5, 200, torch.Generator().manual_seed(0)).tolist())) == [0, 1, 2, 3, 4]


def test_sounds_of_unknown_emotion_are_also_heard_with_dials_at_rest(work: Work, words: TextEncoder) -> None:
    chunks = Chunks(work, words)
    chunks.captions.captions.moods[:] = False
    chunks.dials[::2] = NO_EMOTION
    chunks.dials[1::2] = 0.75
    _, given = chunks.batch(400, torch.Generator().manual_seed(0))
    unknown, rest = ((given.emotion == value).all(1).float().mean() for value in (NO_EMOTION, 0.0))
    assert 0.15 < unknown < 0.35
    assert 0.15 < rest < 0.35
    assert (given.emotion == 0.75).all(1).float().mean() > 0.4


def test_a_mood_that_words_name_may_be_left_to_them(work: Work, words: TextEncoder) -> None:
    chunks = Chunks(work, words)
    chunks.dials[:] = 0.75
    chunks.captions.captions.moods[:] = torch.tensor([True, False, False, True])
    _, given = chunks.batch(400, torch.Generator().manual_seed(0))
    left = (given.emotion == torch.tensor([0, 0.75, 0.75, 0])).all(1)
    assert 0.4 < left.float().mean() < 0.6
    assert (given.emotion[~left] == 0.75).all()
