"""E-mail addresses, dates of birth, names and places."""

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
    locale = chance.choice(LOCALES_ASCII)
    address = chance.faker(locale).ascii_free_email()
    if chance.often(0.6):
        local, _, domain = address.partition("@")
        local += chance.choice(("", "", f"+{chance.choice(('news', 'shop', 'spam'))}", ".jr", "_1"))
        address = f"{local}@{chance.choice((domain, chance.choice(_DOMAINS)))}"
    if chance.often(0.1):
        address = address.title() if address.isascii() else address
    names = ("e-mail", "email", "e-mail address", "contact", "E-Mail-Adresse", "correo")
    return Item(Kind.EMAIL, locale, chance.choice(names), address)


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
