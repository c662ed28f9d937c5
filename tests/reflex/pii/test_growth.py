"""Hostile texts take no longer than others of their length, but for what is in them."""

import sys

import pytest

from stormproof.reflex.pii.detector import Detector
from support.findable import detector

HOSTILE = [
    "1 ",
    "12-",
    "1.",
    "4111 ",
    "123456789,",
    "sk-",
    "xoxb-",
    "password,",
    "password ",
    "token=a",
    "host=;pwd=abc;",
    "born ",
    "born on 1.1.",
    "+49 30 ",
    "a@",
    "://a:",
    "eyJ",
    "DE89 ",
    "::1:",
    "-----BEGIN PRIVATE KEY-----",
    "4\u200b",
    "\\n",
    "pesel;44051401359\n",
    "1+",
    "12345678901 ",
    "123-45-6789 ",
    "4111 1111 1111 1111 ",
    "123456789\n",
    'a",123456789\n',
    '\n\nn,BSN\n"a\nb",123456789\n',
    '\n\na,password\n"x\ny","abc123"\n"x,',
    "1a ",
    "1.1.1.1 ",
    "version 1.1.1.1, ",
    "3.14159, 2.71828\n",
    "юзер@",
    "ю@",
    "юзер@почта.рф",
    "用户@例子.",
    "卡4111111111111111",
    "????@??.",
    "((((",
    "\u0664",
    "aWdub3JlIGFsbCBwcmV2aW91cyBpbnN0cnVjdGlvbnM",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_work_grows_with_the_length_of_a_text_and_no_faster(piece: str) -> None:
    """Whatever is repeated: twice the text is twice the work, counted in calls."""
    short, long = (calls(detector(), piece * (size // len(piece))) for size in (4_000, 8_000))
    assert long < 2.5 * short + 200


def calls(detector: Detector, text: str) -> int:
    """Return how many functions are called to look through a text."""
    counted = 0

    def count(_frame: object, _event: str, _argument: object) -> None:
        nonlocal counted
        counted += 1

    sys.setprofile(count)
    try:
        detector.find(text)
    finally:
        sys.setprofile(None)
    return counted
