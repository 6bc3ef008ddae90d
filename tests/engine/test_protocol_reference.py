"""The committed reference says what the table says."""

from pathlib import Path

from engine.params import ALIASES, COMMANDS, PARAMS, READINGS
from engine.protocol_reference import reference

COMMITTED = Path(__file__).parents[2] / "docs" / "protocol.md"


def test_the_committed_reference_is_up_to_date() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == reference(), "run: aeolia params --format md > docs/protocol.md"


def test_a_page_says_that_patterns_are_not_matched() -> None:
    assert "an address with a wildcard (`*`, `?`, `[...]`, `{...}`) is unknown" in reference()


def test_every_address_has_its_row() -> None:
    for row in (*PARAMS, *COMMANDS, *READINGS, *ALIASES.values()):
        assert reference().count(f"\n| `{row.address}` |") == 1
