"""What is in force for a caller holds for its requests."""

import math
import time

from stormproof.engine.scheduling.urgency import USUAL, Urgency, urgency_in_force
from stormproof.recovery import Deadline, Pipeline, Priority, prioritized


def test_by_default_a_request_is_like_others_and_has_all_time() -> None:
    assert urgency_in_force() == USUAL == Urgency(Priority.NORMAL, math.inf)


def test_the_priority_and_the_deadline_in_force_are_those_of_the_request() -> None:
    before = time.monotonic()
    with prioritized(Priority.HIGH):
        urgency = Pipeline(Deadline(500)).call(urgency_in_force)
    assert urgency.priority is Priority.HIGH
    assert before + 499 < urgency.deadline <= time.monotonic() + 500
