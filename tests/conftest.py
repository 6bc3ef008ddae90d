"""Fixtures that several folders of tests share."""

from pathlib import Path

import pytest

from engine.bundle import DEFAULT, SHIPPED, Bundle, load_bundle


@pytest.fixture(scope="session")
def tiny_work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder in which every stage has really been trained, for seconds."""
    from engine.text import TextEncoder
    from models.data.build import DataConfig, build
    from models.sentences import Words
    from models.stages import run
    from models.work import Recipe, Work

    work = Work(tmp_path_factory.mktemp("work"), Recipe.tiny())
    build(DataConfig.tiny(work.data), progress=False)
    words = TextEncoder(Words(SHIPPED / DEFAULT))
    for stage in ("encoder", "decoder", "clasp", "teacher", "student"):
        run(work, stage, words)
    return work.folder


@pytest.fixture(scope="session")
def tiny_bundle(tiny_work: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A really trained and exported bundle of tiny nets; it sounds like nothing, but everything about it is true."""
    from export.bundle import Options, write_bundle
    from models.work import Recipe, Work

    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    return write_bundle(Work(tiny_work, Recipe.tiny()), SHIPPED / DEFAULT, folder, Options("tiny"))


@pytest.fixture(scope="session")
def shipped_bundle() -> Bundle:
    """The bundle that people play."""
    return load_bundle()
