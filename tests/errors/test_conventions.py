"""What every class of the tree keeps to, so that nobody has to remember it."""

import builtins
import string
from collections import Counter

import pytest

import stormproof.errors as face
from stormproof.errors import (
    Category,
    ClientError,
    ExternalError,
    PlatformError,
    ResourceError,
    Severity,
    StormproofError,
    known_errors,
)

FAMILIES: dict[type[StormproofError], tuple[Category, set[int]]] = {
    ClientError: (Category.CLIENT, set(range(400, 500)) - {429}),
    ResourceError: (Category.RESOURCE, {429, 503, 507}),
    PlatformError: (Category.PLATFORM, {500, 503, 504}),
    ExternalError: (Category.EXTERNAL, {502, 503}),
}

PUBLIC = [
    value
    for name in face.__all__
    if isinstance(value := getattr(face, name), type) and issubclass(value, StormproofError)
]


def family_of(cls: type[StormproofError]) -> type[StormproofError]:
    (family,) = (family for family in FAMILIES if issubclass(cls, family))
    return family


def test_it_belongs_to_one_family_and_has_a_status_of_that_family(
    error_class: type[StormproofError],
) -> None:
    """Who has to act can be read from the class, the category and the status alike."""
    category, statuses = FAMILIES[family_of(error_class)]

    assert error_class.category is category
    assert error_class.http_status in statuses


def test_what_the_caller_must_change_is_never_retriable(
    error_class: type[StormproofError],
) -> None:
    """Sending a bad request again cannot help."""
    if issubclass(error_class, ClientError):
        assert not error_class.retriable


def test_it_says_what_it_means_and_what_to_do(error_class: type[StormproofError]) -> None:
    """Meaning and advice are the class's own, whole sentences, the meaning on one line."""
    meaning = (vars(error_class)["__doc__"] or "").partition("\n")[0]
    remedy = vars(error_class).get("remedy", "")

    assert meaning.endswith("."), "a docstring of its own, whose first line is a sentence"
    assert remedy.endswith("."), "a remedy of its own"


def test_its_message_names_only_public_fields(error_class: type[StormproofError]) -> None:
    """A template shows nothing internal and nothing that is not there."""
    named = {name for _, name, _, _ in string.Formatter().parse(error_class.template) if name}
    public = {name for name, field in error_class.fields().items() if not field.internal}

    assert named <= public


def test_its_severity_is_one_of_the_five(error_class: type[StormproofError]) -> None:
    assert error_class.severity in Severity


def test_no_two_classes_share_a_code_a_meaning_or_a_remedy() -> None:
    """Each leaf is there for a reason that no other has."""
    leaves = [cls for cls in PUBLIC if "code" in vars(cls)]
    for shared in ("code", "__doc__", "remedy"):
        counted = Counter(getattr(cls, shared) for cls in leaves)
        assert [value for value, count in counted.items() if count > 1] == []


@pytest.mark.parametrize("name", face.__all__)
def test_no_public_name_hides_a_builtin(name: str) -> None:
    """``from stormproof.errors import *`` changes the meaning of nothing."""
    assert not hasattr(builtins, name)


def test_every_known_class_is_public(error_class: type[StormproofError]) -> None:
    """What can be raised can be caught by name."""
    assert getattr(face, error_class.__name__, None) is error_class


def test_names_are_unique_and_none_is_a_variation_of_another() -> None:
    """No ``XError`` stands beside an ``X``: two names for one thing."""
    names = {cls.__name__ for cls in PUBLIC}

    assert len(names) == len(PUBLIC)
    assert {name for name in names if f"{name}Error" in names} == set()


def test_the_public_face_is_sorted_and_complete() -> None:
    """``__all__`` is what the module imports, in order."""
    imported = {
        name
        for name, value in vars(face).items()
        if not name.startswith("_") and not isinstance(value, type(builtins))
    }

    assert imported == set(face.__all__)
    assert len(face.__all__) == len(set(face.__all__))


def test_the_codes_are_known_by_code() -> None:
    """The way from a code to its class is one look-up."""
    assert all(cls.code == code for code, cls in known_errors().items())
