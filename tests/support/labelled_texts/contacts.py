"""E-mail addresses, dates of birth, names and places."""
# ruff: noqa: RUF001  (texts in all scripts)

from datetime import date
from typing import Final

from stormproof.reflex.pii.finding import Kind
from support.labelled_texts.chance import Chance
from support.labelled_texts.page import Item

LOCALES: Final = ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "pt_BR")
LOCALES_ASCII: Final = (*LOCALES, "sv_SE", "cs_CZ", "tr_TR", "ja_JP", "el_GR", "ru_RU")
_DOMAINS: Final = (
    "mail.acme-corp.co.uk",
    "uni-heidelberg.de",
    "dept.university.edu",
    "shop.travel",
    "startup.io",
    "klinik.health",
    "x.ai",
    "bücher-müller.de",
)
_INTERNATIONAL: Final = (
    (("юзер", "иван.петров", "анна+новости", "отдел2024"), ("почта.рф", "пример.бел", "mail.ru")),
    (("用户", "王小明", "测试_1"), ("例子.中国", "邮件.商务", "example.cn")),
    (("ユーザー", "山田.太郎"), ("例え.jp", "ドメイン.みんな")),
    (("사용자", "홍길동"), ("예시.한국", "example.co.kr")),
    (("संपर्क", "राम.कुमार"), ("डाटामेल.भारत",)),
    (("χρήστης", "ελένη_7"), ("παράδειγμα.ελ", "example.gr")),
    (("مستخدم", "سارة"), ("موقع.مصر", "example.com")),
    (("משתמש",), ("דוגמה.ישראל",)),
    (("łukasz", "żaneta.wójcik", "kowalski"), ("łódź.pl", "poczta.example.pl")),
    (("jürgen", "info"), ("xn--bcher-kva.example", "xn--e1afmkfd.xn--p1ai")),
)
"""Names and domains that are written in the same scripts."""

_MONTHS: Final = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto "
    "septiembre octubre noviembre diciembre",
}
_DATES: Final = (
    "{d:%Y-%m-%d}",
    "{d:%d/%m/%Y}",
    "{d:%m/%d/%Y}",
    "{d:%d.%m.%Y}",
    "{d:%d-%m-%Y}",
    "{d.day} {month} {d.year}",
    "{month} {d.day}, {d.year}",
    "{d.day}. {german} {d.year}",
    "{d.day} {french} {d.year}",
    "{d.day} de {spanish} de {d.year}",
)
_EMAIL_NAMES: Final = (
    "e-mail",
    "email",
    "e-mail address",
    "contact",
    "E-Mail-Adresse",
    "correo",
)
_BIRTH_NAMES: Final = (
    "date of birth",
    "DOB",
    "birth date",
    "birthday",
    "Geburtsdatum",
    "date de naissance",
    "fecha de nacimiento",
)


def email(chance: Chance) -> Item:
    if chance.often(0.1):
        return _international_email(chance)
    locale = chance.choice(LOCALES_ASCII)
    address = chance.faker(locale).ascii_free_email()
    if chance.often(0.6):
        local, _, domain = address.partition("@")
        local += chance.choice(("", "", f"+{chance.choice(('news', 'shop', 'spam'))}", ".jr", "_1"))
        address = f"{local}@{chance.choice((domain, chance.choice(_DOMAINS)))}"
    if chance.often(0.1):
        address = address.title() if address.isascii() else address
    return Item(Kind.EMAIL, locale, chance.choice(_EMAIL_NAMES), address)


def _international_email(chance: Chance) -> Item:
    """Return an address in letters of any script, as RFC 6531 has them."""
    locals_, domains = chance.choice(_INTERNATIONAL)
    address = f"{chance.choice(locals_)}@{chance.choice(domains)}"
    return Item(Kind.EMAIL, "international", chance.choice(_EMAIL_NAMES), address)


def birth(chance: Chance) -> Item:
    text = day(chance, chance.birth())
    return Item(Kind.DATE_OF_BIRTH, "date", chance.choice(_BIRTH_NAMES), text)


def day(chance: Chance, when: date) -> str:
    """Return a date as it is written somewhere."""
    english, german, french, spanish = (_MONTHS[x].split()[when.month - 1] for x in _MONTHS)
    template = chance.choice(_DATES)
    return template.format(d=when, month=english, german=german, french=french, spanish=spanish)


def person(chance: Chance) -> Item:
    locale = chance.choice(LOCALES)
    return Item(Kind.PERSON, locale, "name", chance.faker(locale).name())


def place(chance: Chance) -> Item:
    locale = chance.choice(LOCALES)
    return Item(Kind.PLACE, locale, "city", chance.faker(locale).city())
