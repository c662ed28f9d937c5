"""Collecting everything that is wrong before saying so."""

from stormproof.errors.client_errors import FieldProblem, ValidationErrors


class Problems:
    """A list of what is wrong with an input, raised once and whole.

    ```python
    problems = Problems()
    problems.check(size > 0, "block_size", "must be positive", "greater_than")
    problems.check(name, "name", "is required", "missing")
    problems.raise_if_any()
    ```
    """

    def __init__(self) -> None:
        self._found: list[FieldProblem] = []

    @property
    def found(self) -> tuple[FieldProblem, ...]:
        """What was wrong so far, in the order it was found."""
        return tuple(self._found)

    def add(self, field: str, message: str, kind: str = "value_error") -> None:
        """Note one problem: where, what for people, what for programs."""
        self._found.append({"field": field, "message": message, "type": kind})

    def check(self, fine: object, field: str, message: str, kind: str = "value_error") -> None:
        """Note a problem unless ``fine`` is true."""
        if not fine:
            self.add(field, message, kind)

    def raise_if_any(self, reason: str = "validation failed") -> None:
        """Raise all that was found.

        Args:
            reason: What could not be done because of it.

        Raises:
            ValidationErrors: At least one problem was noted.
        """
        if self._found:
            raise ValidationErrors(errors=self._found, reason=reason)
