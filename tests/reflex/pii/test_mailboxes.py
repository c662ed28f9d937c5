"""Addresses of mailboxes are found in every script, and as far as they go."""
# ruff: noqa: RUF001  (texts in all scripts)

import pytest

from stormproof.reflex.pii.finding import Kind
from support.findable import found


@pytest.mark.parametrize(
    "address",
    [
        "юзер@почта.рф",
        "иван.петров+новости@mail.пример.бел",
        "отдел2024@example.com",
        "user@пример.рф",
        "info@xn--e1afmkfd.xn--p1ai",
        "用户@例子.中国",
        "山田.太郎@例え.jp",
        "홍길동@예시.한국",
        "संपर्क@डाटामेल.भारत",
        "χρήστης@παράδειγμα.ελ",
        "مستخدم@موقع.مصر",
        "łukasz@łódź.pl",
        "cafe\u0301@example.org",
        "anna@example.\u0441om",
        "kontakt@firma.vermögensberatung",
    ],
)
def test_an_address_is_found_in_any_script(address: str) -> None:
    """All of it: its name, all labels of its domain, and marks that belong to letters."""
    for text in (
        address,
        f"Is it {address}?",
        f"<{address}>, «{address}»",
        f'{{"to": "{address}"}}',
    ):
        assert {one for _, _, one in found(text)} == {address}
    assert found(f"{address}\n{address}") == [(Kind.EMAIL, None, address)] * 2


@pytest.mark.parametrize(
    "text",
    [
        "请联系anna@example.com谢谢",
        "メールはanna@example.comへ。",
        "메일은 anna@example.com으로 보내세요",
        "Кто это?anna@example.com",
        "Пишите на anna@example.com.Спасибо",
        "😀anna@example.com😀",
        "«anna@example.com»",
        "“anna@example.com”",
    ],
)
def test_prose_that_goes_on_without_a_space_is_no_part_of_an_address(text: str) -> None:
    """Many scripts have none between words."""
    assert found(text) == [(Kind.EMAIL, None, "anna@example.com")]


def test_addresses_that_only_a_mark_parts_are_all_found() -> None:
    """As lists of them are written in Chinese and Japanese."""
    addresses = ["用户@例子.中国", "anna@example.com", "юзер@почта.рф", "bo@example.org"]
    for mark in "、，；?!/ ":
        assert [one for _, _, one in found(mark.join(addresses))] == addresses
    spoken = f"请写给{'、'.join(addresses[1:])}谢谢"
    assert [one for _, _, one in found(spoken)] == addresses[1:]


@pytest.mark.parametrize(
    "text",
    [
        "@маша, привет",
        "маша@ привет",
        "иконка@2x.png",
        "в 5 @ 10.20 за штуку",
        "转发@小明。你好",
        "что?@как?",
        "a@б",
        f"{'ы' * 300}@{'ы' * 300}.рф",
    ],
)
def test_what_only_has_an_at_sign_is_no_address(text: str) -> None:
    """Handles, names of files, prices."""
    assert not found(text)
