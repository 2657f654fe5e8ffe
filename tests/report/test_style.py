from itertools import pairwise

import pytest
from matplotlib.colors import rgb_to_hsv, to_rgb

from report.style import FURTHER_HUES, HUES, Look, looks

TUNED = "mopps:target=0.4,memory=0.9,discount=0.25"
SWEEP = [f"speed:screen={n},extend=20" for n in (2, 4, 8, 12, 16, 20, 24, 28)]


def look(name: str) -> Look:
    return looks([name])[name]


def test_a_lone_variant_shares_hue_and_marker_and_differs_in_line_and_fill() -> None:
    speed, released, other = (look(f"speed{end}") for end in ("", "-released", "-n8"))
    assert speed == look("speed-paper")
    assert {(one.color, one.marker) for one in (speed, released, other)} == {HUES["speed"]}
    assert len({speed.line, released.line, other.line}) == 3
    assert (look(TUNED).color, look(TUNED).marker) == HUES["mopps"]
    assert look(TUNED).line != look("mopps").line
    assert (speed.fill, released.fill) == (speed.color, "white")


@pytest.mark.parametrize("system", [*HUES, "stuck"])
def test_no_two_of_many_variants_look_alike(system: str) -> None:
    names = [system, f"{system}-released", *(f"{system}:n={n}" for n in range(45))]
    found = looks(names)
    assert list(found) == names
    assert len({(one.marker, one.line) for one in found.values()}) == 47
    assert len(set(found.values())) == 47


def test_variants_go_from_dark_to_light_in_the_order_of_their_numbers() -> None:
    found = looks(reversed(SWEEP))
    shades = [sum(to_rgb(found[name].color)) for name in SWEEP]
    assert all(darker < lighter for darker, lighter in pairwise(shades))
    hues = [float(rgb_to_hsv(to_rgb(found[name].color))[0]) for name in SWEEP]
    wanted = float(rgb_to_hsv(to_rgb(HUES["speed"][0]))[0])
    assert hues == pytest.approx([wanted] * len(SWEEP), abs=0.01)


def test_systems_and_their_releases_look_the_same_in_any_company() -> None:
    stable = ["speed", "speed-released", "speed-paper", "mopps", "stuck"]
    company = looks([*SWEEP, *stable, TUNED, "mopps:memory=0.5"])
    assert {name: company[name] for name in stable} == {name: look(name) for name in stable}


def test_the_order_of_names_does_not_matter() -> None:
    assert looks(SWEEP) == looks([*SWEEP[::-1], *SWEEP])


def test_known_systems_are_all_told_apart() -> None:
    assert len({hue for hue, _ in HUES.values()}) == len(HUES)
    assert len({marker for _, marker in HUES.values()}) == len(HUES)
    assert not {hue for hue, _ in HUES.values()} & set(FURTHER_HUES)


def test_an_unknown_system_has_a_look_of_its_own_that_lasts() -> None:
    """Golden: the checksum, not Python's salted hash."""
    assert look("stuck").color == "#661100"
    assert look("stuck").color in FURTHER_HUES
