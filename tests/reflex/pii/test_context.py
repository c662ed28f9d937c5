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


def test_cells_in_quotes_may_have_more_lines_and_separators() -> None:
    """As programs write them (RFC 4180): what follows is in its own column all the same."""
    table = """no,note,"born",BSN,password
1,"Ann, who said ""no"", once
and again",1985-05-03,111222333,"abc,123"
"2","","May 3, 1985","111222333","x9""y8"
3,"a
b","
",111222333,z7-w6
"""
    assert found(table) == [
        (Kind.DATE_OF_BIRTH, None, "1985-05-03"),
        (Kind.NATIONAL_ID, "nl", "111222333"),
        (Kind.PASSWORD, None, "abc,123"),
        (Kind.DATE_OF_BIRTH, None, "May 3, 1985"),
        (Kind.NATIONAL_ID, "nl", "111222333"),
        (Kind.PASSWORD, None, 'x9""y8'),
        (Kind.NATIONAL_ID, "nl", "111222333"),
        (Kind.PASSWORD, None, "z7-w6"),
    ]


def test_a_quote_that_ends_nothing_moves_no_column() -> None:
    """Such as one of inches."""
    assert found('size;BSN\n12";111222333\n') == [(Kind.NATIONAL_ID, "nl", "111222333")]


def test_words_of_another_line_tell_nothing() -> None:
    """What a number is, it is by its own line."""
    assert not found("Phone: none\nOrder: 65356866\nPhone again: none")
