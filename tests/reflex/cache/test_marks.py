"""What two questions must have in common is found in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.reflex.cache.marks import marks


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Is it safe to take aspirin?", "Is it not safe to take aspirin?"),
        ("Can I park here?", "Can't I park here?"),
        ("Can I park here?", "Can\u2019t I park here?"),
        ("Darf ich das?", "Darf ich das nicht?"),
        ("What is 15% of 200?", "What is 15% of 300?"),
        ("What is 3.5 plus 1?", "What is 35 plus 1?"),
        ("what is 3 * 4", "what is 3 + 4"),
        ("what is 3 - 4", "what is 3 / 4"),
        ("give me two reasons", "give me three reasons"),
        ("Translate 'cat'", "Translate 'dog'"),
        ("what does `a[0]` do", "what does `a[1]` do"),
        ("was heißt „Haus“", "was heißt „Maus“"),
        ("What is the capital of France?", "What is the capital of Germany?"),
        ("Paris has how many bridges?", "Rome has how many bridges?"),
        ("Is Alice older than Bob?", "Is Bob older than Alice?"),
        ("convert celsius to fahrenheit", "convert fahrenheit to celsius"),
        ("how do i enable it", "how do i disable it"),
        ("is the shop open on monday", "is the shop open on tuesday"),
        ("What is the capital of France?", "Quelle est la capitale de la France ?"),
        ("法国的首都是什么", "德国的首都是什么"),
        ("Где находится Москва?", "Где находится Минск?"),
        ("what is snake_case", "what is snake case"),
    ],
)
def test_what_turns_the_meaning_tells_questions_apart(one: str, other: str) -> None:
    assert marks(one) != marks(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I reset my password?", "How can I reset my password?"),
        ("How do I cancel my subscription?", "how can i cancel my subscription"),
        ("What is the capital of France?", "Which city is the capital of France?"),
        ("Is it 'safe'?", "Is it “safe”?"),
        ("I can't log in", "I can\u2019t log in!"),
    ],
)
def test_another_wording_does_not(one: str, other: str) -> None:
    assert marks(one) == marks(other)


@given(st.text(max_size=300))
def test_any_text_has_marks(text: str) -> None:
    """The language first, which may be unknown."""
    assert marks(text)[0] in {"", "en", "de", "fr", "es", "pt", "it", "nl"}
