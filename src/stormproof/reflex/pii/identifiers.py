"""The numbers that states give to people and to companies, as python-stdnum validates them."""

import re
from importlib import import_module
from typing import TYPE_CHECKING, Final

from stdnum import numdb
from stdnum.eu import vat

from stormproof.reflex.pii.finding import Kind
from stormproof.reflex.pii.pictures import Identifier

if TYPE_CHECKING:
    from collections.abc import Callable

_PERSON: Final = Kind.NATIONAL_ID
_TAX: Final = Kind.TAX_NUMBER
_TABLES: Final = ("at/fa", "cn/loc", "id/loc", "my/bp")
"""Those of offices and of places, which some of the rules look numbers up in."""


def read_tables() -> None:
    """Read what python-stdnum reads when it is first asked: no request is to wait for that."""
    for table in _TABLES:
        numdb.get(table)
    vat.guess_country("")  # imports the rules of all members of the European Union


def _of(kind: Kind, module: str, telling: str, vague: str = "", words: str = "") -> Identifier:
    """Return what a module of python-stdnum can validate."""
    country = module.partition(".")[0].rstrip("_")
    valid: Callable[[str], bool] = import_module(f"stdnum.{module}").is_valid

    def giver(number: str) -> str | None:
        try:
            return country if valid(number) else None
        except (LookupError, ValueError):  # what the rule's author has not thought of is not valid
            return None

    return Identifier(kind, giver, _listed(telling), _listed(vague), _listed(words))


def _listed(joined: str) -> frozenset[str]:
    return frozenset(joined.split("|")) - {""}


def _european(number: str) -> str | None:
    return number[:2].lower() if vat.is_valid(number) else None


def _british_insurance(number: str) -> str | None:
    """Tell a number of HM Revenue and Customs; they have no check digit."""
    return "gb" if _BRITISH_INSURANCE.fullmatch(number.replace(" ", "").upper()) else None


def _singaporean(number: str) -> str | None:
    """Tell a number of the National Registration Act, by its last letter."""
    number = number.upper()
    if number[0] not in _SINGAPOREAN:
        return None
    offset, letters = _SINGAPOREAN[number[0]]
    total = offset + sum(
        w * int(d) for w, d in zip((2, 7, 6, 5, 4, 3, 2), number[1:8], strict=True)
    )
    return "sg" if letters[total % 11] == number[8] else None


def _american_taxpayer(number: str) -> str | None:
    """Tell a number of the Internal Revenue Service; they have no check digit."""
    return "us" if _AMERICAN_TAXPAYER.fullmatch(number) else None


_AMERICAN_TAXPAYER: Final = re.compile(r"9\d\d[- ]?(?:5\d|6[0-5]|[78]\d|9[0-24-9])[- ]?\d{4}")
_BRITISH_INSURANCE: Final = re.compile(
    r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]"
)
_SINGAPOREAN: Final = {
    "S": (0, "JZIHGFEDCBA"),
    "T": (4, "JZIHGFEDCBA"),
    "F": (0, "XWUTRQPNMLK"),
    "G": (4, "XWUTRQPNMLK"),
    "M": (3, "KLJNPQRTUWX"),
}

IDENTIFIERS: Final = (
    Identifier(
        _PERSON,
        _british_insurance,
        _listed("AA999999A|AA 99 99 99 A|AA 999999 A|AA999999 A"),
    ),
    Identifier(_PERSON, _singaporean, _listed("A9999999A")),
    _of(_TAX, "ar.cuit", "99-99999999-9", "99999999999", "cuit|cuil"),
    _of(_PERSON, "ar.dni", "", "99.999.999|99999999", "dni|documento"),
    _of(_PERSON, "at.vnr", "", "9999 999999|9999999999", "svnr|sozialversicherungsnummer|vsnr"),
    _of(_TAX, "at.tin", "99-999/9999", "999999999", "steuernummer|abgabenkontonummer"),
    _of(_TAX, "au.abn", "", "99 999 999 999|99999999999", "abn|business number"),
    _of(_TAX, "au.tfn", "", "999 999 999|999-999-999|999999999", "tfn|tax file|file number"),
    _of(
        _PERSON,
        "be.nn",
        "99.99.99-999.99",
        "99999999999|99 99 99 999 99|999999-999-99|999999 999 99",
        "rijksregisternummer|rijksregister|national number|numéro national|registre national"
        "|registre|nrn|rrn|niss|insz|nn|nationaal nummer|national register",
    ),
    _of(_PERSON, "bg.egn", "", "9999999999", "egn|егн"),
    _of(_TAX, "br.cnpj", "99.999.999/9999-99", "99999999999999", "cnpj"),
    _of(_TAX, "br.cpf", "999.999.999-99", "99999999999|999999999-99", "cpf"),
    _of(
        _PERSON,
        "ca.sin",
        "",
        "999-999-999|999 999 999|999999999",
        "sin|social insurance|assurance sociale|nas",
    ),
    _of(
        _PERSON, "ch.ssn", "999.9999.9999.99", "9999999999999", "ahv|avs|sozialversicherungsnummer"
    ),
    _of(_TAX, "ch.uid", "AAA-999.999.999", "AAA999999999", "uid|ide|mwst|tva|iva|vat|che"),
    _of(_TAX, "ch.vat", "AAA-999.999.999 AAAA|AAA-999.999.999 AAA"),
    _of(
        _PERSON,
        "cl.rut",
        "99.999.999-9|9.999.999-9|99.999.999-A|9.999.999-A",
        "99999999-9|9999999-9|99999999-A|9999999-A",
        "rut|run",
    ),
    _of(_PERSON, "cn.ric", "999999999999999999|99999999999999999A"),
    _of(_TAX, "co.nit", "", "999.999.999-9|999999999-9|9999999999", "nit"),
    _of(_PERSON, "cz.rc", "999999/9999", "9999999999", "rč|rc|rodné číslo|rodné"),
    _of(
        _TAX,
        "de.idnr",
        "99 999 999 999",
        "99999999999",
        "steuer id|steuerid|idnr|identifikationsnummer|steueridentifikationsnummer|steuer idnr"
        "|tax id|tin|tax identification|steuerliche identifikationsnummer|steuernummer|id nr"
        "|steuer identifikationsnummer|tax number",
    ),
    _of(_TAX, "de.stnr", "", "99/999/99999|999/999/99999|999/9999/9999", "steuernummer|stnr|st nr"),
    _of(_PERSON, "dk.cpr", "", "999999-9999|9999999999|999999 9999", "cpr|personnummer|cprnr"),
    _of(_PERSON, "do.cedula", "999-9999999-9", "99999999999", "cédula|cedula"),
    _of(_PERSON, "ec.ci", "", "999999999-9|9999999999", "cédula|cedula|ci"),
    _of(_PERSON, "ee.ik", "", "99999999999", "isikukood|isikukoodi|ik|personal code|estonian"),
    _of(_PERSON, "es.dni", "99999999A|99999999-A", "99999999 A|99.999.999-A", "dni|nif"),
    _of(_PERSON, "es.nie", "A9999999A|A-9999999-A|A9999999-A|A-9999999A"),
    _of(_TAX, "es.cif", "", "A99999999|A-99999999|A9999999A|A-9999999-9", "cif|nif|empresa"),
    Identifier(
        _TAX,
        _european,
        _listed(
            "AAA99999999|AA9999999999|AA999999999|AA99999999|AA99999999999|AA999999999999"
            "|AA999999999A99|AAA9999999A|AA99999999A|AA9999999A|AA9999999AA|AA9A99999A"
            "|AA 999999999|AA 9999999999|AA 99999999999|AA 99999999|AA 999999999999"
            "|AA 999999999A99|AA 99 999999999|AA 999 999 999|AA 9999 999 999|AA99 999999999"
            "|AAA 99999999"
        ),
    ),
    _of(_PERSON, "fi.hetu", "999999-999A|999999A999A|999999+999A|999999-9999|999999A9999"),
    _of(_TAX, "fi.ytunnus", "", "9999999-9", "y tunnus|ytunnus|tunnus|business id"),
    _of(
        _TAX,
        "fr.nif",
        "99 99 999 999 999",
        "9999999999999",
        "fiscal|spi|nif|impôts|numéro fiscal|tax",
    ),
    _of(
        _PERSON,
        "fr.nir",
        "9 99 99 99 999 999 99|9 99 99 9A 999 999 99|999999999999999|999999A99999999"
        "|9 99 99 99 999 999-99|9999999999999 99|999999A999999 99",
    ),
    _of(_TAX, "fr.siret", "", "999 999 999 99999|99999999999999", "siret"),
    _of(_TAX, "fr.siren", "", "999 999 999|999999999", "siren|rcs"),
    _of(_PERSON, "gb.nhs", "", "999 999 9999|999-999-9999|9999999999", "nhs"),
    _of(
        _TAX,
        "gb.utr",
        "",
        "9999999999|99999 99999",
        "utr|taxpayer reference|tax reference|unique taxpayer",
    ),
    _of(_TAX, "gb.vat", "AA999999999|AA 999 9999 99|AA999 9999 99", "999 9999 99|999999999", "vat"),
    _of(_PERSON, "gr.amka", "", "99999999999", "amka|αμκα"),
    _of(_TAX, "gr.vat", "", "999999999", "afm|αφμ|vat"),
    _of(_TAX, "hr.oib", "", "99999999999", "oib"),
    _of(_TAX, "hu.anum", "99999999-9-99", "99999999", "adószám|adószáma"),
    _of(
        _PERSON,
        "id.nik",
        "",
        "9999999999999999",
        "nik|ktp|induk kependudukan|nomor induk",
    ),
    _of(
        _TAX,
        "ie.pps",
        "",
        "9999999A|9999999AA|9999999 A|9999999 AA",
        "pps|ppsn|pps number|public service",
    ),
    _of(
        _PERSON,
        "il.idnr",
        "",
        "999999999|9999999-9|99999999-9",
        "teudat|zehut|israeli|teudat zehut|mispar zehut|תעודת|ת ז",
    ),
    _of(
        _PERSON,
        "in_.aadhaar",
        "9999 9999 9999",
        "999999999999|9999-9999-9999",
        "aadhaar|uidai|aadhar",
    ),
    _of(_TAX, "in_.pan", "AAAAA9999A"),
    _of(_TAX, "in_.gstin", "99AAAAA9999A9A9|99AAAAA9999A9AA"),
    _of(_PERSON, "is_.kennitala", "999999-9999", "9999999999", "kennitala|kt"),
    _of(_TAX, "it.codicefiscale", "AAAAAA99A99A999A|AAA AAA 99A99 A999A"),
    _of(_TAX, "it.iva", "", "99999999999", "iva|partita iva|p iva|piva"),
    _of(
        _PERSON,
        "jp.in_",
        "",
        "9999 9999 9999|9999-9999-9999|999999999999",
        "my number|mynumber|individual number|マイナンバー|個人番号",
    ),
    _of(_PERSON, "kr.rrn", "999999-9999999", "9999999999999", "rrn|resident registration"),
    _of(_TAX, "kr.brn", "", "999-99-99999", "brn|business registration"),
    _of(_PERSON, "lt.asmens", "", "99999999999", "asmens|asmens kodas|lithuanian|personal code"),
    _of(
        _PERSON,
        "lv.pvn",
        "",
        "999999-99999|99999999999",
        "personas|personas kods|personal code|latvian",
    ),
    _of(_PERSON, "mx.curp", "AAAA999999AAAAAA99|AAAA999999AAAAAAA9"),
    _of(
        _TAX,
        "mx.rfc",
        "AAAA999999AAA|AAAA999999AA9|AAAA999999A9A|AAAA999999A99|AAAA9999999AA|AAAA9999999A9"
        "|AAAA99999999A|AAAA999999999|AAA999999AAA|AAA999999AA9|AAA999999A9A|AAA999999A99"
        "|AAA9999999AA|AAA9999999A9|AAA99999999A|AAAA-999999-AAA",
        "AAA999999999",
        "rfc",
    ),
    _of(_PERSON, "my.nric", "999999-99-9999", "999999999999", "nric|mykad|ic"),
    _of(
        _PERSON,
        "nl.bsn",
        "",
        "999999999|9999.99.999|9999 99 999|999 999 999|999.999.999",
        "bsn|burgerservicenummer|sofinummer|citizen service|burgerservice",
    ),
    _of(
        _PERSON,
        "no.fodselsnummer",
        "999999 99999",
        "99999999999",
        "fødselsnummer|fodselsnummer|personnummer|fnr|fødselsnr|norwegian",
    ),
    _of(_TAX, "no.orgnr", "", "999 999 999|999999999", "orgnr|organisasjonsnummer|org nr"),
    _of(_TAX, "nz.ird", "", "99-999-999|999-999-999|99999999|999999999", "ird|inland revenue"),
    _of(_PERSON, "pe.cui", "", "99999999-9", "dni|cui"),
    _of(_PERSON, "pk.cnic", "99999-9999999-9", "9999999999999", "cnic|nadra"),
    _of(_TAX, "pl.nip", "999-999-99-99|999-99-99-999", "9999999999|999 999 99 99", "nip"),
    _of(_PERSON, "pl.pesel", "", "99999999999", "pesel|pesela|peselu"),
    _of(_PERSON, "pt.cc", "99999999 9 AA9|999999999AA9"),
    _of(
        _TAX,
        "pt.nif",
        "",
        "999999999|999 999 999",
        "nif|contribuinte|nipc|identificação fiscal",
    ),
    _of(_PERSON, "ro.cnp", "", "9999999999999", "cnp|cod numeric|numeric personal"),
    _of(_TAX, "ru.inn", "", "9999999999|999999999999", "inn|инн"),
    _of(
        _PERSON,
        "se.personnummer",
        "999999-9999|99999999-9999|999999+9999",
        "9999999999|999999999999",
        "personnummer|personnr|samordningsnummer",
    ),
    _of(_PERSON, "si.emso", "", "9999999999999", "emšo|emso|jmbg|matični broj|maticni broj"),
    _of(_PERSON, "sk.rc", "999999/9999", "9999999999", "rč|rodné číslo|rodné"),
    _of(
        _PERSON, "th.pin", "9-9999-99999-99-9", "9999999999999", "thai|บัตรประชาชน|เลขประจำตัวประชาชน"
    ),
    _of(_PERSON, "tr.tckimlik", "", "99999999999", "tc|tckn|kimlik|t c|tc kimlik|kimlik no"),
    _of(_TAX, "ua.rntrc", "", "9999999999", "rntrc|рнокпп|ипн|іпн|ідентифікаційний"),
    _of(_TAX, "us.ein", "", "99-9999999", "ein|fein|employer identification|tax id|irs"),
    Identifier(
        _TAX,
        _american_taxpayer,
        _listed("999-99-9999"),
        _listed("999999999|999 99 9999"),
        _listed("itin|taxpayer identification"),
    ),
    _of(_TAX, "us.ptin", "", "A99999999|A-99999999", "ptin|preparer"),
    _of(
        _PERSON,
        "us.ssn",
        "999-99-9999",
        "999999999|999 99 9999|999.99.9999",
        "ssn|social security|social|ssns|social sec",
    ),
    _of(_TAX, "ve.rif", "A-99999999-9", "A999999999", "rif"),
    _of(
        _PERSON,
        "za.idnr",
        "999999 9999 999",
        "9999999999999",
        "id|identity|south african|rsa|sa id",
    ),
)
