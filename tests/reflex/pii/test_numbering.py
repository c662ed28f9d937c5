"""Versions, chapters and headings look like addresses of machines."""
# ruff: noqa: RUF001  (texts in all scripts)

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.reflex.pii.finding import Kind
from support.findable import found


@pytest.mark.parametrize(
    "text",
    [
        "See chapter 4.1.1.2, and Section 2.3.4.5 on that.",
        "SECTION 2.3.4.5",
        "(sec. 4.1.1.2, fig. 3.2.1.1)",
        "as § 4.1.1.2 says",
        "Kapitel 4.1.1.2, Abschnitt: 2.3.4.5, Раздел 2.3.4.5, sección 2.3.4.5",
        "sections 4.1.1.2, 4.1.1.3 and 4.1.1.4",
        "Kapitel 4.1.1.2 und 4.1.1.3",
        "alcohol dehydrogenase (EC 1.1.1.1)",
        'ObjectIdentifier("2.5.29.14")',
        "https://example.com/rfc7692#section-7.2.3.1",
        "请看第4.1.1.2节，4.1.1.3章",
        "Version 1.2.3.4, appVersion=1.2.3.4, FIRMWARE_VERSION: 10.2.3.4",
        'a {"version": "1.2.3.4"} or {\\"version\\": \\"1.2.3.4\\"}',
        "from version 1.2.3.4 to 1.3.0.1",
        "nginx/1.2.3.4 torch2==1.2.3.4 torch>=1.2.3.4 torch >= 1.2.3.4",
        "软件版本1.2.3.4，バージョン1.2.3.4",
        "name,version\nlib,1.2.3.4\nother,10.0.0.5",
        "4.1.1.2 Data retention\n\nAll of it.",
        "Contents\n  4.1.1.2. Scope\n\t4.1.1.3  Übersicht\n#### 10.1.1.4 Terms",
        '<h4 class="sub">2.3.4.1 Arrays</h4><li>2.3.4.2 Lists',
        "with the mask 255.255.255.0, 0.0.0.0 or 0.0.0.255; groups: 239.1.2.3",
        "1.2.3.4.5.6.7",
    ],
)
def test_a_number_that_is_told_to_be_a_versions_or_a_chapters_is_no_address(text: str) -> None:
    """In prose, data and requirements, in lists of them, and as a heading."""
    assert not found(text)


@pytest.mark.parametrize(
    "text",
    [
        "It is 1.2.3.4.",
        "the server (1.2.3.4) is down",
        "1.2.3.4 logged in",
        "1.2.3.4 - - [10/Oct/2024] GET /",
        "1.2.3.4\tdb.internal",
        "upgrade from 1.2.3.4 please",
        "We have a new version. 1.2.3.4 is down.",
        "version 2 runs on 1.2.3.4",
        "Chapter 3 tells why 1.2.3.4 answers",
        'if ip == "1.2.3.4":',
        "ip.src==1.2.3.4 && remoteAddr==1.2.3.4",
        "http://1.2.3.4/",
        "version;ip\n7;1.2.3.4",
        "IP地址是1.2.3.4，请",
    ],
)
def test_a_small_number_without_such_a_word_is_an_address(text: str) -> None:
    """Also where those words are near, but belong to something else."""
    assert {(kind, one) for kind, _, one in found(text)} == {(Kind.IP_ADDRESS, "1.2.3.4")}


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("rule: 192.168.17.4", "192.168.17.4"),
        ("section 10.0.0.5", "10.0.0.5"),
        ("10.2.3.4 Server", "10.2.3.4"),
        ("84.23.11.9 Connection refused", "84.23.11.9"),
        ("version 1.2.3.4, 10.0.0.5 is the host", "10.0.0.5"),
        ("firmware 1.2.3.4 at 10.0.0.5", "10.0.0.5"),
    ],
)
def test_what_no_book_has_so_many_chapters_for_is_an_address(text: str, address: str) -> None:
    """A zero, or a number that is large, is one of networks; a list goes on with its like."""
    assert found(text) == [(Kind.IP_ADDRESS, None, address)]


@given(st.ip_addresses(v=4))
def test_an_address_is_that_of_one_machine(address: IPv4Address) -> None:
    """Not of none, of the same one, of groups, or of every one."""
    first = address.packed[0]
    kinds = {kind for kind, *_ in found(f"It is {address}.")}
    assert (Kind.IP_ADDRESS in kinds) == (first not in {0, 127} and first < 224)


@pytest.mark.parametrize("number", ["256.1.1.1", "1.2.3.256", "1.2.3.04", "1.2.3", "1.2.3.1000"])
def test_no_other_number_is_one(number: str) -> None:
    """With parts that are too large, begin with zero, or are not four."""
    assert Kind.IP_ADDRESS not in {kind for kind, *_ in found(f"It is {number}.")}
