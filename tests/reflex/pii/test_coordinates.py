"""Places by their degrees, and pairs of numbers that are none."""

import pytest

from stormproof.reflex.pii.finding import Kind
from support.findable import found


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("meet me at 52.520008, 13.404954", "52.520008, 13.404954"),
        ("(-33.8688,151.2093)", "-33.8688,151.2093"),
        ("GPS: 5.6037, -0.1870", "5.6037, -0.1870"),
        ("https://maps.example/?q=5.6037,-0.1870", "5.6037,-0.1870"),
        ('"location": "6.5244, 3.3792"', "6.5244, 3.3792"),
        ("name|coordinates\nAccra|5.6037, -0.1870", "5.6037, -0.1870"),
        ("row,gps,age\n1,48.8566,2.3522,34", "48.8566,2.3522"),
        ('"coordinates": [-122.4194, 37.7749]', "-122.4194, 37.7749"),
    ],
)
def test_a_pair_is_a_place_if_it_is_large_or_told_to_be_one(text: str, pair: str) -> None:
    """By a word near it, or at the head of its column; told so, also with the longitude first."""
    assert found(text) == [(Kind.COORDINATES, None, pair)]


@pytest.mark.parametrize(
    "text",
    [
        "Pi and e: 3.14159, 2.71828",
        "the roots are 3.14159265,-2.71828183.",
        "a slope of (0.1234, 5.6789)",
        "120.1234, 5.6789",
        "coordinates: 320.1234, 240.5678",
        "coordinates: 120.1234, 120.5678",
        "position 0.1234, 0.5678",
    ],
)
def test_two_measurements_are_no_place(text: str) -> None:
    """Nor is what is nowhere on earth, whatever is said of it."""
    assert not found(text)
