"""Words near something, and above it, tell what it is."""

from stormproof.reflex.pii.finding import Kind
from support.findable import found


def test_the_head_of_a_column_tells_what_numbers_are() -> None:
    """Also many lines further down."""
    rows = "".join(f"{n};Ann{n};12345678{n % 10}\n" for n in range(100))
    table = f"no;name;BSN;born\n{rows}100;Bo;111222333;1985-05-03\n"
    assert found(table)[-2:] == [
        (Kind.NATIONAL_ID, "nl", "111222333"),
        (Kind.DATE_OF_BIRTH, None, "1985-05-03"),
    ]
    assert found("Customers:\n\n" + table) == found(table)


def test_a_column_of_passwords_is_found_by_its_head() -> None:
    """In any order of columns; prose with commas in it is no table."""
    table = "name,password,age\nAnn,abc123,30\nBo,none,31\nCy,x9-y8-z7,32\n"
    assert found(table) == [(Kind.PASSWORD, None, "abc123"), (Kind.PASSWORD, None, "x9-y8-z7")]
    assert not found("I lost my password, again\nand then, with a 2nd try, it worked")


def test_words_of_another_line_tell_nothing() -> None:
    """What a number is, it is by its own line."""
    assert not found("Phone: none\nOrder: 65356866\nPhone again: none")
