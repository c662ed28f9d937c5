"""What a detector finds, and where."""

import string
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.reflex.pii.cards import CARD
from stormproof.reflex.pii.detector import ALL, Detector
from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.identifiers import IDENTIFIERS
from stormproof.reflex.pii.phones import NATIONAL

DETECTOR = Detector()
NUMBERED = (CARD, NATIONAL, *IDENTIFIERS)

PEM = """-----BEGIN RSA PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,0F0F

MIICXAIBAAKBgQCqGKukO1De7zhZj6+H0qtjTkVxwTCpvKe4eCZ0FPqri0cb2JZfXJ
-----END RSA PRIVATE KEY-----"""
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_X"

PLANTED = [
    (Kind.EMAIL, None, "write to {}", "anna.schmidt+news@mail.example.com"),
    (Kind.EMAIL, None, "write to {}", "jörg@bücher.example"),
    (Kind.PHONE, None, "it is {}", "+49 (0)30 1234 5678"),
    (Kind.PHONE, None, "it is {}", "+12125550123"),
    (Kind.PHONE, None, "it is {}", "0033 6 12 34 56 78"),
    (Kind.PHONE, None, "it is {}", "(212) 555-0123 ext. 42"),
    (Kind.PHONE, None, "it is {}", "06 12 34 56 78"),
    (Kind.PHONE, None, "it is {}", "030/12345678"),
    (Kind.PHONE, None, "my mobile number is {}", "612 345 678"),
    (Kind.CARD, "visa", "paid with {}", "4111111111111111"),
    (Kind.CARD, "mastercard", "paid with {}", "5500 0000 0000 0004"),
    (Kind.CARD, "amex", "paid with {}", "3782-822463-10005"),
    (Kind.CARD, "diners", "paid with {}", "30569309025904"),
    (Kind.IBAN, "de", "send it to {}", "DE89 3704 0044 0532 0130 00"),
    (Kind.IBAN, "gb", "send it to {}", "gb29nwbk60161331926819"),
    (Kind.IBAN, "no", "send it to {}", "NO93-8601-1117-947"),
    (Kind.IP_ADDRESS, None, "came from {}", "192.168.17.4"),
    (Kind.IP_ADDRESS, None, "came from {}", "2001:db8::8a2e:370:7334"),
    (Kind.IP_ADDRESS, None, "came from {}", "2a02:47ab:0486:6437:4d7c:0c8b:388c:396b"),
    (Kind.MAC_ADDRESS, None, "at {}", "00:1b:44:11:3a:b7"),
    (Kind.MAC_ADDRESS, None, "at {}", "00-1B-44-11-3A-B7"),
    (Kind.MAC_ADDRESS, None, "at {}", "001b.4411.3ab7"),
    (Kind.DATE_OF_BIRTH, None, "born on {}", "3 May 1985"),
    (Kind.DATE_OF_BIRTH, None, "DOB: {}", "05/03/1985"),
    (Kind.DATE_OF_BIRTH, None, "geboren am {}", "3. März 1985"),
    (Kind.DATE_OF_BIRTH, None, "née le {}", "14 juillet 1985"),
    (Kind.DATE_OF_BIRTH, None, "fecha de nacimiento: {}", "3 de mayo de 1985"),
    (Kind.DATE_OF_BIRTH, None, '"date_of_birth": "{}"', "1985-05-03"),
    (Kind.COORDINATES, None, "meet me at {}", "52.520008, 13.404954"),
    (Kind.COORDINATES, None, "meet me at {}", "48°51'24\"N 2°21'03\"E"),
    (Kind.COORDINATES, None, "meet me at {}", "48.8566° N, 2.3522° E"),
    (Kind.COORDINATES, None, '"lat": {}', '48.85, "lng": 2.35'),
    (Kind.CRYPTO_WALLET, "bitcoin", "send it to {}", "1NEDqZPvTWRaoho48qXuLLsrYomMXPABfD"),
    (Kind.CRYPTO_WALLET, "bitcoin", "send it to {}", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"),
    (
        Kind.CRYPTO_WALLET,
        "bitcoin",
        "send it to {}",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
    ),
    (Kind.CRYPTO_WALLET, "tron", "send it to {}", "TLa2f6VPqDgRE67v1736s7bJ8Ray5wYjU7"),
    (Kind.CRYPTO_WALLET, "ethereum", "to {}", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
    (Kind.API_KEY, "aws", "use {}", "AKIAIOSFODNN7EXAMPLE"),
    (Kind.API_KEY, "anthropic", "use {}", "sk-ant-api03-" + "Ab3_" * 23 + "AA"),
    (Kind.API_KEY, "openai", "use {}", "sk-proj-" + "aB3dE6gH9_" * 10),
    (Kind.API_KEY, "stormproof", "use {}", "sp-" + ("aB3dE6gH9_" * 5)[:43]),
    (Kind.API_KEY, "google", "use {}", "AIza" + "SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY"),
    (Kind.API_KEY, "stripe", "use {}", "sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc"),
    (Kind.TOKEN, "github", "use {}", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
    (Kind.TOKEN, "slack", "use {}", "xoxb-" + "123456789012-1234567890123-4mt0t4l3rT0k3n"),
    (Kind.TOKEN, "hugging face", "use {}", "hf_" + "kLmNoPqRsTuVwXyZaBcDeFgHiJkLmNoPqR"),
    (Kind.TOKEN, None, "Authorization: Bearer {}", "mF_9.B5f-4.1JqM0x"),
    (Kind.TOKEN, None, 'client_secret = "{}"', "9f86d081884c7d659a2feaa0c55ad015"),
    (Kind.PRIVATE_KEY, None, "mine is\n{}", PEM),
    (Kind.JWT, None, "signed in by {}", JWT),
    (Kind.CONNECTION_STRING, "postgresql", "postgresql://app:{}@db.internal/app", "s3cr3t"),
    (Kind.CONNECTION_STRING, "redis", "redis://:{}@cache:6379/0", "p@ss:w0rd"),
    (Kind.CONNECTION_STRING, None, "Server=db;User Id=app;Password={};", "s3cr3t!"),
    (Kind.PASSWORD, None, "password={}", "hunter2"),
    (Kind.PASSWORD, None, "please change my password to {}", "Tr0ub4dor&3"),
]
"""What is to be found, whose it is, what tells so, and how it is written."""

WRITTEN = [
    (Kind.TAX_NUMBER, "ar", "20-05536168-2"),
    (Kind.TAX_NUMBER, "au", "TFN 123 456 782"),
    (Kind.NATIONAL_ID, "be", "85.07.30-033.28"),
    (Kind.TAX_NUMBER, "br", "390.533.447-05"),
    (Kind.NATIONAL_ID, "ca", "SIN 123-456-782"),
    (Kind.NATIONAL_ID, "ch", "756.9217.0769.85"),
    (Kind.NATIONAL_ID, "cl", "RUT 76086428-5"),
    (Kind.NATIONAL_ID, "cn", "360426199101010071"),
    (Kind.NATIONAL_ID, "cz", "710319/2745"),
    (Kind.TAX_NUMBER, "de", "36 574 261 809"),
    (Kind.NATIONAL_ID, "dk", "CPR 211062-5629"),
    (Kind.NATIONAL_ID, "ee", "isikukood 36805280109"),
    (Kind.NATIONAL_ID, "es", "54362315-K"),
    (Kind.TAX_NUMBER, "fr", "FR 61954506077"),
    (Kind.NATIONAL_ID, "fi", "131052-308T"),
    (Kind.NATIONAL_ID, "fr", "2 95 10 99 126 111 93"),
    (Kind.NATIONAL_ID, "gb", "NHS no. 943 476 5870"),
    (Kind.NATIONAL_ID, "gb", "AB123456C"),
    (Kind.TAX_NUMBER, "hr", "OIB: 33392005961"),
    (Kind.TAX_NUMBER, "ie", "PPS 6433435F"),
    (Kind.NATIONAL_ID, "in", "2341 2341 2346"),
    (Kind.TAX_NUMBER, "in", "ACUPA7085R"),
    (Kind.NATIONAL_ID, "is", "120174-3399"),
    (Kind.TAX_NUMBER, "it", "RCCMNL83S18D969H"),
    (Kind.NATIONAL_ID, "jp", "My Number: 6214 9832 0257"),
    (Kind.NATIONAL_ID, "kr", "971013-9019902"),
    (Kind.NATIONAL_ID, "mx", "BOXW310820HNERXN09"),
    (Kind.NATIONAL_ID, "my", "770305-02-1234"),
    (Kind.NATIONAL_ID, "nl", "BSN: 111222333"),
    (Kind.NATIONAL_ID, "no", "151086 95088"),
    (Kind.NATIONAL_ID, "pl", "PESEL 44051401359"),
    (Kind.NATIONAL_ID, "ro", "CNP 1630615123457"),
    (Kind.NATIONAL_ID, "se", "880320-0016"),
    (Kind.NATIONAL_ID, "sg", "S1234567D"),
    (Kind.NATIONAL_ID, "th", "1-2345-45678-78-1"),
    (Kind.NATIONAL_ID, "tr", "TC Kimlik: 17291716060"),
    (Kind.NATIONAL_ID, "us", "536-90-4399"),
    (Kind.TAX_NUMBER, "us", "912-90-3456"),
    (Kind.NATIONAL_ID, "za", "South African ID 7503305044089"),
]
"""Numbers of states: their kind, the state, and how they are written."""


def found(text: str) -> list[tuple[Kind, str | None, str]]:
    """Return what is found, whose it is, and what is written there."""
    return [(one.kind, one.detail, text[one.start : one.end]) for one in DETECTOR.find(text)]


@pytest.mark.parametrize(("kind", "detail", "telling", "value"), PLANTED)
def test_what_is_planted_is_found_in_its_place(
    kind: Kind, detail: str | None, telling: str, value: str
) -> None:
    """Whatever letters stand before it: places are counted in characters."""
    assert found(f"Señor 😀 says: {telling.format(value)} and no more.") == [(kind, detail, value)]


@pytest.mark.parametrize(("kind", "detail", "telling", "value"), PLANTED)
def test_a_detector_of_one_kind_finds_what_one_of_all_kinds_does(
    kind: Kind, detail: str | None, telling: str, value: str
) -> None:
    """Kinds do not depend on each other."""
    [finding] = Detector({kind}).find(telling.format(value))
    assert (finding.kind, finding.detail) == (kind, detail)


@pytest.mark.parametrize(("kind", "country", "written"), WRITTEN)
def test_numbers_of_states_are_found(kind: Kind, country: str, written: str) -> None:
    """By their form, or by the words before them."""
    [(what, whose, number)] = found(f"As you asked: {written}. Thank you!")
    assert (what, whose) == (kind, country)
    assert written.endswith(number)


def test_numbers_of_many_states_are_told() -> None:
    """There are more of them than we promise."""
    assert len({country for _, country, _ in WRITTEN}) >= 30


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111112",
        "5500 0000 0000 0005",
        "DE89 3704 0044 0532 0130 01",
        "GB29NWBK60161331926818",
        "1NEDqZPvTWRaoho48qXuLLsrYomMXPABfE",
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp",
        "54362315-Z",
        "RCCMNL83S18D969G",
        "PESEL 44051401358",
        "756.9217.0769.84",
        "BSN: 111252333",
        "880320-0018",
        "390.533.447-06",
        "CNP 1630615123458",
        "000-12-3456",
        "300.1.2.3",
        "sk-your-api-key-goes-right-here",
        "eyJub25lIjoxfQ.eyJzdWIiOiIxIn0.c2ln",
    ],
)
def test_a_wrong_check_digit_is_nothing(number: str) -> None:
    """One character away from something valid is not that."""
    assert not found(f"The reference is {number}, I believe.")


@pytest.mark.parametrize(
    "text",
    [
        "Version 1.2.3.4 runs on 127.0.0.1 since 2024-01-15T12:30:45Z.",
        "See request 550e8400-e29b-41d4-a716-446655440000, which took 1700000000000 ms.",
        "Clone git@github.com:acme/app.git, and see icon@2x.png for the rest.",
        "The ISBN is 978-3-16-148410-0, the order 123-1234567-1234567.",
        "pi is 3.14159265358979, the vector [0.1234, 0.5678, 52.5200, 13.4050].",
        "password: must be long. password = os.environ['PASSWORD']; password=getpass()",
        "Set api_key=YOUR_API_KEY or token=${TOKEN}; postgres://user:$PASSWORD@host/db",
        "She was born in a storm; the meeting is on 2024-01-15.",
        "std::vector and Face::add at 12:30:45, or a::b.",
        "Call me in 20 minutes, it takes 1234567 steps.",
        "9999 8888 7777 6666 5555 4444",
        "-----BEGIN PUBLIC KEY-----\nMIGf\n-----END PUBLIC KEY-----",
    ],
)
def test_what_only_looks_like_something_is_nothing(text: str) -> None:
    """Programs and papers are full of numbers."""
    assert not found(text)


def test_only_what_was_asked_for_is_found() -> None:
    """A detector of cards sees no address, and one of nothing nothing."""
    text = "a@example.com paid with 4111111111111111"
    assert [one.kind for one in Detector({Kind.CARD}).find(text)] == [Kind.CARD]
    assert not Detector(()).find(text)


def test_one_thing_is_found_once() -> None:
    """A card is no telephone number, an account holds no card, a password no address."""
    assert [kind for kind, *_ in found("phone 4111111111111111")] == [Kind.CARD]
    assert [kind for kind, *_ in found("IBAN PL61 1090 1014 0000 0712 1981 2874")] == [Kind.IBAN]
    assert found("postgresql://app:pw@example.com/x") == [
        (Kind.CONNECTION_STRING, "postgresql", "pw")
    ]


def test_a_plus_before_a_card_does_not_hide_it() -> None:
    """In a form that a browser sends a plus is a space."""
    assert found("name=Ann&card=+4111111111111111") == [(Kind.CARD, "visa", "4111111111111111")]


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


@pytest.mark.parametrize(
    "written",
    [
        "".join(chr(0xFEE0 + ord(digit)) for digit in "4111111111111111"),
        "4111\u00a01111\u00a01111\u00a01111",
        "4111\u20131111\u20131111\u20131111",
        "41\u200b1111111111\u00ad1111",
        "\u0664" + "\u0661" * 15,
    ],
)
def test_what_looks_like_a_number_is_one(written: str) -> None:
    """Other scripts' digits, odd spaces and dashes, and characters that nobody sees."""
    assert found(f"\u200bpaid\u200b with {written}, 😀") == [(Kind.CARD, "visa", written)]


def test_what_json_escapes_does_not_hide_anything() -> None:
    """Arguments of tools are JSON, in which a line ends with two characters."""
    assert found(r'{"note": "hi\n4111111111111111\u00a0"}') == [
        (Kind.CARD, "visa", "4111111111111111")
    ]


def test_a_finding_shows_no_value() -> None:
    """Whoever writes it to a log writes no secret."""
    [finding] = DETECTOR.find("a@example.com")
    assert "example" not in repr(finding)
    assert finding == Finding(Kind.EMAIL, 0, 13)


LETTERS = st.text(st.sampled_from(string.ascii_letters + " ,\näßжあ😀\u200b\u00a0"), max_size=60)


@given(st.sampled_from(PLANTED), LETTERS, LETTERS)
def test_prose_around_changes_nothing(
    planted: tuple[Kind, str | None, str, str], before: str, after: str
) -> None:
    """A valid value of every kind is found at its place in any prose."""
    kind, _, telling, value = planted
    opening, closing = telling.split("{}")
    start = len(f"{before}\n{opening}")
    text = f"{before}\n{opening}{value}{closing}\n{after}"
    places = [(one.kind, one.start, one.end) for one in DETECTOR.find(text)]
    assert (kind, start, start + len(value)) in places


PICTURED = sorted(
    (one, picture)
    for one, identifier in enumerate(NUMBERED)
    for picture in identifier.telling | identifier.vague
)


@given(st.data(), st.sampled_from(PICTURED))
def test_no_number_is_too_much_for_a_rule(data: st.DataObject, pictured: tuple[int, str]) -> None:
    """What only has the form of a number has whatever digits and letters it likes."""
    one, picture = pictured
    alphabets = {"9": string.digits, "A": string.ascii_letters}
    drawn = [data.draw(st.sampled_from(alphabets.get(sign, sign))) for sign in picture]
    giver = NUMBERED[one].giver("".join(drawn))
    assert giver is None or giver.islower() or not giver


def test_a_number_that_a_rule_does_not_expect_is_not_valid() -> None:
    """As one of a county that China has not."""
    assert not found("643872379501147470")


PIECES = st.sampled_from(
    [value for *_, value in PLANTED]
    + [written for *_, written in WRITTEN]
    + [
        "4",
        "1111 ",
        "-",
        ".",
        "@",
        "://",
        ":",
        "+",
        "00",
        "(",
        "\u200b",
        "é",
        "😀",
        "\ud800",
        "\\n",
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=80))
def test_findings_are_in_range_in_order_and_apart(text: str) -> None:
    """Whatever the text is, also one that has no encoding."""
    before = 0
    for finding in DETECTOR.find(text):
        assert before <= finding.start < finding.end <= len(text)
        assert finding.kind in ALL
        before = finding.end


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
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_work_grows_with_the_length_of_a_text_and_no_faster(piece: str) -> None:
    """Whatever is repeated: twice the text is twice the work, counted in calls."""
    short, long = (calls(Detector(), piece * (size // len(piece))) for size in (4_000, 8_000))
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
