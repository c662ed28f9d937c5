"""Scripts that put no space between words hide nothing."""
# ruff: noqa: RUF001  (texts in all scripts)

import pytest

from stormproof.reflex.pii.finding import Kind
from support.findable import found


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("我的卡号是4111111111111111谢谢", Kind.CARD, "4111111111111111"),
        ("カード番号は4111-1111-1111-1111です", Kind.CARD, "4111-1111-1111-1111"),
        ("카드번호는 4111 1111 1111 1111입니다", Kind.CARD, "4111 1111 1111 1111"),
        ("บัตร4111111111111111ครับ", Kind.CARD, "4111111111111111"),
        ("转到DE89370400440532013000谢谢", Kind.IBAN, "DE89370400440532013000"),
        ("地址是192.168.17.4吗", Kind.IP_ADDRESS, "192.168.17.4"),
        ("在2001:db8::8a2e:370:7334上", Kind.IP_ADDRESS, "2001:db8::8a2e:370:7334"),
        ("电话+8613812345678谢谢", Kind.PHONE, "+8613812345678"),
        ("身份证360426199101010071号", Kind.NATIONAL_ID, "360426199101010071"),
    ],
)
def test_a_number_ends_where_such_a_script_begins(text: str, kind: Kind, value: str) -> None:
    """Chinese, Japanese, Korean and Thai go on at once behind a number."""
    assert [(one, written) for one, _, written in found(text)] == [(kind, value)]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("我的手机号是13812345678谢谢", Kind.PHONE, "13812345678"),
        ("연락처는 1234 5678입니다", Kind.PHONE, "1234 5678"),
        ("マイナンバーは6214 9832 0257です", Kind.NATIONAL_ID, "6214 9832 0257"),
        ("见5.6037,-0.1870这个坐标", Kind.COORDINATES, "5.6037,-0.1870"),
    ],
)
def test_a_word_tells_what_a_number_is_though_no_space_parts_it_from_others(
    text: str, kind: Kind, value: str
) -> None:
    """Close to the number, before it or behind."""
    assert [(one, written) for one, _, written in found(text)] == [(kind, value)]
    assert not found(f"订单{value}谢谢")


def test_other_scripts_make_one_word_with_digits() -> None:
    """As Latin does: what is within a word is no number."""
    assert not found("арт4111111111111111, é4111111111111111")
