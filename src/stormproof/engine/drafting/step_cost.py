"""What a step costs, and one more row in it."""

from typing import Final

_MEMORY: Final = 0.98
"""How much of what was measured counts after another step."""

_PRIOR_SHARE: Final = 0.05
"""What a row adds to a step, as long as steps of different sizes have not told."""

_PRIOR_WEIGHT: Final = 0.5
"""How much the number of rows must vary, squared, before what was measured outweighs that."""


class StepCost:
    """A line through the seconds that steps of lately took, by their rows.

    The weights are read once a step, however many rows there are, and that is most of what a small
    step costs; what a row costs beside it differs from machine to machine.
    """

    def __init__(self) -> None:
        self._weight = self._rows = self._seconds = 0.0
        self._variance = self._covariance = 0.0

    def record(self, rows: int, seconds: float) -> None:
        """Take a step into account; means and deviations are kept as in Welford's method."""
        self._weight = self._weight * _MEMORY + 1
        off_rows, off_seconds = rows - self._rows, seconds - self._seconds
        self._rows += off_rows / self._weight
        self._seconds += off_seconds / self._weight
        self._variance = self._variance * _MEMORY + off_rows * (rows - self._rows)
        self._covariance = self._covariance * _MEMORY + off_rows * (seconds - self._seconds)

    def row_seconds(self) -> float:
        """Estimate what one more row costs."""
        prior = _PRIOR_SHARE * self._seconds
        measured = self._covariance + _PRIOR_WEIGHT * prior
        return max(measured / (self._variance + _PRIOR_WEIGHT), 0.0)

    def step_seconds(self, rows: int) -> float:
        """Estimate what a step costs."""
        row = self.row_seconds()
        return max(self._seconds + row * (rows - self._rows), row * rows)
