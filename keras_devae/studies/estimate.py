"""How long a study still takes."""


def seconds_left(finished, steps_left, workers):
    """Estimates how long the runs that are not done still take.

    A step is taken to cost what it did on average in the runs that are done, with all that comes
    before and after training.

    Args:
        finished: For each run that is done, the pair of its steps and its seconds, 0 where they
            are not known.
        steps_left: For each run that is not done, how many steps it has before it.
        workers: How many runs go on at a time.

    Returns:
        Seconds, or `None` before any run is done.
    """
    known = [(steps, seconds) for steps, seconds in finished if seconds > 0]
    if not known:
        return None
    a_step = sum(seconds for _, seconds in known) / sum(steps for steps, _ in known)
    costs = [steps * a_step for steps in steps_left]
    # The last run alone cannot be shared out.
    return max(sum(costs) / max(workers, 1), max(costs, default=0))
