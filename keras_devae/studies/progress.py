"""Shows the progress of a study on standard error: a bar in a terminal, else a line per run."""

import contextlib
import datetime
from collections.abc import Callable, Iterator

from keras_devae.studies.scheduler import StudyProgress


@contextlib.contextmanager
def show_progress() -> Iterator[Callable[[StudyProgress], None]]:
    """Yields a function that shows a `StudyProgress`."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True, markup=False, emoji=False)
    columns = (TextColumn("runs"), BarColumn(), TextColumn("{task.description}"))
    bar = Progress(*columns, console=console, disable=not console.is_terminal)
    task, is_first = bar.add_task("", total=None), True

    def report(progress: StudyProgress) -> None:
        nonlocal is_first
        text, ended = summarize_progress(progress), progress.done + progress.failed
        bar.update(task, description=text, completed=ended, total=progress.total)
        lines = list(progress.ended)
        if not console.is_terminal:
            lines = [f"{line}  ({text})" for line in lines] + ([text] if is_first else [])
        is_first = False
        for line in lines:
            console.print(line, highlight=False, soft_wrap=True)

    with bar:
        yield report


def summarize_progress(progress: StudyProgress) -> str:
    """Describes the progress of a study in one line."""
    counts = [f"{progress.done}/{progress.total} done"]
    for what in ("running", "failed", "waiting"):
        if number := getattr(progress, what):
            counts.append(f"{number} {what}")
    if progress.seconds_left and (progress.running or progress.waiting):
        counts.append(f"about {datetime.timedelta(seconds=round(progress.seconds_left))} left")
    return ", ".join(counts)
