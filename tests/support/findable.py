"""Personal data and secrets that a detector is to find, and what tells that they are that."""

from functools import cache

from stormproof.reflex.pii.detector import Detector
from stormproof.reflex.pii.finding import Kind

PEM = """-----BEGIN RSA PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,0F0F

MIICXAIBAAKBgQCqGKukO1De7zhZj6+H0qtjTkVxwTCpvKe4eCZ0FPqri0cb2JZfXJ
-----END RSA PRIVATE KEY-----"""
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_X"

PLANTED = [
    (Kind.EMAIL, None, "write to {}", "anna.schmidt+news@mail.example.com"),
    (Kind.EMAIL, None, "write to {}", "jörg@bücher.example"),
    (Kind.EMAIL, None, "write to {}", "юзер@почта.рф"),
    (Kind.EMAIL, None, "write to {}", "用户@例子.中国"),
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
    (Kind.COORDINATES, None, '1,"{}",Ann', '48°51\'24""N 2°21\'03""E'),
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

NUMBERS = [
    (Kind.TAX_NUMBER, "ar", "20-05536168-2"),
    (Kind.TAX_NUMBER, "at", "Abgabenkontonummer 59-119/9013"),
    (Kind.TAX_NUMBER, "au", "TFN 123 456 782"),
    (Kind.NATIONAL_ID, "be", "85.07.30-033.28"),
    (Kind.TAX_NUMBER, "bg", "BG175074752"),
    (Kind.TAX_NUMBER, "br", "390.533.447-05"),
    (Kind.NATIONAL_ID, "ca", "SIN 123-456-782"),
    (Kind.NATIONAL_ID, "ch", "756.9217.0769.85"),
    (Kind.NATIONAL_ID, "cl", "RUT 76086428-5"),
    (Kind.NATIONAL_ID, "cn", "360426199101010071"),
    (Kind.TAX_NUMBER, "cy", "CY10259033P"),
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
    (Kind.NATIONAL_ID, "id", "NIK 3171011708450001"),
    (Kind.TAX_NUMBER, "ie", "PPS 6433435F"),
    (Kind.NATIONAL_ID, "in", "2341 2341 2346"),
    (Kind.TAX_NUMBER, "in", "ACUPA7085R"),
    (Kind.NATIONAL_ID, "is", "120174-3399"),
    (Kind.TAX_NUMBER, "it", "RCCMNL83S18D969H"),
    (Kind.NATIONAL_ID, "jp", "My Number: 6214 9832 0257"),
    (Kind.NATIONAL_ID, "kr", "971013-9019902"),
    (Kind.TAX_NUMBER, "lu", "LU15027442"),
    (Kind.TAX_NUMBER, "mt", "MT11679112"),
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


@cache
def detector() -> Detector:
    """Return one of all kinds."""
    return Detector()


def found(text: str) -> list[tuple[Kind, str | None, str]]:
    """Return what is found in a text, whose it is, and what is written there."""
    return [(one.kind, one.detail, text[one.start : one.end]) for one in detector().find(text)]
