"""The table is complete, consistent and says what the interface promises."""

import pytest

from engine.control import check, check_as
from engine.errors import AeoliaError
from engine.params import ALIASES, BY_ADDRESS, COMMANDS, PARAMS, READINGS, Curve, Latency, Param

NUMBERS = [p for p in PARAMS if "s" not in p.kinds]


def test_no_address_appears_twice() -> None:
    addresses = [row.address for row in (*PARAMS, *COMMANDS, *READINGS, *ALIASES.values())]
    assert len(addresses) == len(set(addresses))


@pytest.mark.parametrize("param", PARAMS, ids=lambda p: p.address)
def test_defaults_and_bounds_are_within_the_bounds(param: Param) -> None:
    assert len(param.kinds) == len(param.minimum) == len(param.maximum) == len(param.default)
    assert check(param.address, param.default) == param.default
    if "s" not in param.kinds:
        for bound in (param.minimum, param.maximum):
            assert check(param.address, bound) == bound


@pytest.mark.parametrize("param", NUMBERS, ids=lambda p: p.address)
@pytest.mark.parametrize(
    "bad", [1e12, -1e12, float("nan"), float("inf"), -float("inf"), "1", None, b"1", [1.0], 10**400]
)
def test_nothing_else_is_let_through(param: Param, bad: object) -> None:
    args = (*param.default[:-1], bad)
    with pytest.raises(AeoliaError, match=f"^{param.address} .*: must be [^\n]*$"):
        check(param.address, args)


@pytest.mark.parametrize(
    ("address", "kinds", "latency"),
    [
        ("/prompt/d/text", "s", Latency.MODEL),
        ("/prompt/b/weight", "f", Latency.HOP),
        ("/morph", "ff", Latency.HOP),
        ("/emotion/anger", "f", Latency.HOP),
        ("/pan/azimuth", "f", Latency.BLOCK),
        ("/pan/motion/depth", "f", Latency.BLOCK),
        ("/level", "f", Latency.BLOCK),
        ("/generator/steps", "i", Latency.MODEL),
        ("/generator/variation", "f", Latency.MODEL),
        ("/freeze", "b", Latency.HOP),
    ],
)
def test_the_promised_addresses_are_there(address: str, kinds: str, latency: Latency) -> None:
    assert (BY_ADDRESS[address].kinds, BY_ADDRESS[address].latency) == (kinds, latency)


def test_a_knob_covers_the_range() -> None:
    for param in NUMBERS:
        for argument in range(len(param.kinds)):
            assert param.at(0, argument) == param.minimum[argument]
            assert param.at(1, argument) == param.maximum[argument]
    assert BY_ADDRESS["/pan/motion/rate"].at(0.5) == 1.0
    assert BY_ADDRESS["/pan/motion/rate"].at(0.5, curve=Curve.LINEAR) == 2.0


@pytest.mark.parametrize(
    ("address", "args", "azimuth"),
    [
        ("azim", (30.0,), -30.0),
        ("azim", (-180.0,), 180.0),
        ("azim", (0.0,), 0.0),
        ("aed", (-45.0, 10.0, 0.5), 45.0),
        ("xyz", (1.0, 0.0, 0.0), 90.0),
        ("xyz", (-0.5, 0.5, 0.0), -45.0),
        ("xyz", (0.0, 1.0, 0.0), 0.0),
    ],
)
def test_adm_counts_the_azimuth_to_the_left(address: str, args: tuple[float, ...], azimuth: float) -> None:
    alias = ALIASES[f"/adm/obj/1/{address}"]
    checked = check_as(alias.address, alias.kinds, alias.minimum, alias.maximum, args)
    assert alias.convert(tuple(map(float, checked))) == pytest.approx((azimuth,))
