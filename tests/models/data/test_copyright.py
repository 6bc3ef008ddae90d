"""Licences are read as DEP-5 has them."""

from __future__ import annotations

import pytest

from models.data.copyright import free_licence, grant_of, grants


@pytest.mark.parametrize(
    ("path", "licence", "author"),
    [
        ("sounds/rain.wav", "CC-BY-SA-3.0", "2020 A. Nybody"),
        ("sounds/gpl/deep.wav", "GPL-2+", "2021 Some One"),
        ("sounds/either1.wav", "GPL-2 or CC-BY-3.0", "2022 First | Author; 2023 Second Author"),
        ("sounds/either12.wav", "CC-BY-SA-3.0", "2020 A. Nybody"),
    ],
)
def test_the_last_paragraph_that_covers_a_file_counts(path: str, licence: str, author: str, notice: str) -> None:
    grant = grant_of(path, grants(notice))
    assert grant is not None
    assert (grant.licence, grant.author) == (licence, author)


def test_a_copyright_file_in_prose_grants_nothing() -> None:
    assert grant_of("a.wav", grants("It is free, they say.\n\nLicense: MIT\n")) is None


@pytest.mark.parametrize(
    ("expression", "licence"),
    [
        ("CC0", "CC0"),
        ("zlib or GPL-2 or CC-BY-3.0", "Zlib"),
        ("GPL-2+ OR CC-BY-SA-3.0", "CC-BY-SA-3.0"),
        ("GPL-2+", None),
        ("CC-BY-NC-3.0", None),
        ("CC0 and GPL-3", None),
    ],
)
def test_a_free_offer_is_taken_and_the_gpl_never(expression: str, licence: str | None) -> None:
    assert free_licence(expression) == licence
