"""Whether anything was done for a call."""

from stormproof.reflex.stage import Ending


def was_worked_on(ending: Ending) -> bool:
    """Whether a model may have worked on a call, though nobody told how many tokens that took.

    It may if it has begun to answer, or if the caller did not wait for that. Where a stage has
    answered, or it was not reached, or failed before it said anything, it did not.
    """
    journey = ending.journey
    if journey.degraded or not ending.asked:
        return False
    cut_off = ending.error is not None and not isinstance(ending.error, Exception)
    return journey.rung is not None or (cut_off and bool(journey.asked))
