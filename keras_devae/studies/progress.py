"""How far a study is, on the standard error: a bar in a terminal, a line a run elsewhere."""

import contextlib
import datetime


@contextlib.contextmanager
def study_progress():
    """Shows how far a study is.

    Yields:
        Function of a `keras_devae.studies.scheduler.Standing`.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True, markup=False, emoji=False)
    columns = (TextColumn("runs"), BarColumn(), TextColumn("{task.description}"))
    bar = Progress(*columns, console=console, disable=not console.is_terminal)
    task, begun = bar.add_task("", total=None), False

    def report(standing):
        nonlocal begun
        over = standing.done + standing.failed
        bar.update(task, description=summary(standing), completed=over, total=standing.total)
        lines = list(standing.ended)
        if not console.is_terminal:
            lines = [f"{line}  ({summary(standing)})" for line in lines]
            lines += [] if begun else [summary(standing)]
        begun = True
        for line in lines:
            console.print(line, highlight=False, soft_wrap=True)

    with bar:
        yield report


def summary(standing):
    """Says in one line how far a study is.

    Args:
        standing: A `Standing`.
    """
    counts = [f"{standing.done}/{standing.total} done"]
    for what in ("running", "failed", "waiting"):
        if number := getattr(standing, what):
            counts.append(f"{number} {what}")
    if standing.seconds_left and (standing.running or standing.waiting):
        counts.append(f"about {datetime.timedelta(seconds=round(standing.seconds_left))} left")
    return ", ".join(counts)
