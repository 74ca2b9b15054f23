"""What to do about a training that the machine ended, in words."""

import contextlib

from keras_devae.errors import FailureError, ran_out_of_memory
from keras_devae.files import DiskFullError
from keras_devae.runs.folder import resume_command


@contextlib.contextmanager
def explained(run, what):
    """Turns the errors of a full memory or disk into one sentence that says how to go on.

    Args:
        run: The `RunDirectory`.
        what: Function that returns what was being done, e.g. `"Training stopped at step 3"`.

    Raises:
        FailureError: In place of these errors; others pass.
    """
    try:
        yield
    except DiskFullError as error:
        raise FailureError(f"{what()}. {error} {how_to_go_on(run)}") from error
    except FailureError:
        raise
    except Exception as error:
        if not ran_out_of_memory(error):
            raise
        raise FailureError(
            f"{what()}: out of memory ({type(error).__name__}). Free memory that other programs "
            "use, or begin a new run with a smaller --batch-size or with --no-resident. "
            f"{how_to_go_on(run)}"
        ) from error


def how_to_go_on(run):
    """Returns sentences: what of a run is saved, and how to go on with it.

    Args:
        run: The `RunDirectory`.
    """
    if not run.config_file.is_file():
        return "Nothing is saved yet. Give the same command again."
    steps = run.checkpoint_steps()
    if run.is_trained():
        saved = "Training is done and only the evaluation is left"
    elif steps:
        saved = f"The last checkpoint is of step {steps[0]}"
    else:
        saved = "There is no checkpoint yet"
    return f"{saved}. Go on with: {resume_command(run.path)}"
