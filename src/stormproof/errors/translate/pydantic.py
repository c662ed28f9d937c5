"""pydantic, pydantic-core and pydantic-settings."""

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from stormproof.errors.client_errors import FieldProblem, ValidationErrors
from stormproof.errors.platform_errors import ConfigurationError, SerializationError
from stormproof.errors.root import StormproofError
from stormproof.errors.translate.lookup import Table, bug, control_flow
from stormproof.errors.translate.reading import identifier, text

_MOST_PROBLEMS: Final = 1000
_LONGEST_NAME: Final = 64

_WITHOUT_INPUT: Final[Mapping[str | None, str]] = {
    # The messages into which pydantic itself copies a part of what came in.
    "assertion_error": "The value breaks a rule",
    "get_attribute_error": "An attribute cannot be read",
    "iteration_error": "The value cannot be iterated",
    "mapping_type": "Input should be a valid mapping",
    "union_tag_invalid": "The tag is not one of those expected",
    "uuid_parsing": "Input should be a valid UUID",
}


def _invalid(exc: Any) -> StormproofError:
    return ValidationErrors(errors=[_problem(found) for found in _found(exc)])


def _found(exc: Any) -> list[Any]:
    try:
        problems = exc.errors(include_url=False, include_context=False, include_input=False)
    except TypeError:  # pydantic.v1 has no such options; _problem() picks what may be told
        problems = exc.errors()
    return list(islice(problems, _MOST_PROBLEMS))


def _problem(found: Mapping[str, Any]) -> FieldProblem:
    kind = identifier(found["type"]) or "invalid"
    said = _WITHOUT_INPUT.get(kind) or text(found["msg"]) or "is not valid"
    names = (text(str(part), _LONGEST_NAME) or "" for part in found["loc"])
    return {"field": ".".join(names), "message": said, "type": kind}


def _unserializable(_exc: Any) -> StormproofError:
    return SerializationError(reason="a value does not fit its model")


def _bad_settings(_exc: Any) -> StormproofError:
    return ConfigurationError(reason="a source of settings cannot be read")


TABLE: Final[Table] = {
    "pydantic_core.ValidationError": _invalid,
    "pydantic_core.PydanticSerializationError": _unserializable,
    "pydantic_core.PydanticSerializationUnexpectedValue": _unserializable,
    "pydantic_settings.SettingsError": _bad_settings,
    # pydantic.v1, kept for models of long ago.
    "pydantic.SettingsError": _bad_settings,
    "pydantic.SkipField": control_flow,
    "pydantic.ValidationError": _invalid,
    # Signals of a validator to pydantic.
    "pydantic_core.PydanticOmit": control_flow,
    "pydantic_core.PydanticUseDefault": control_flow,
    # Models that are wrong, and validators that are used outside of validation.
    "pydantic_core.PydanticCustomError": bug,
    "pydantic_core.PydanticKnownError": bug,
    "pydantic_core.SchemaError": bug,
    "pydantic.PydanticImportError": bug,
    "pydantic.PydanticUndefinedAnnotation": bug,
    "pydantic.PydanticUserError": bug,
}
