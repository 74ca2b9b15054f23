"""Whether what stands in the folder of a run are files and folders where they belong."""

from keras_devae.errors import FailureError
from keras_devae.files import is_there
from keras_devae.runs.folder import repair_command


def misplaced(run):
    """Finds what is no file, or no folder, although a run has one of that name.

    Args:
        run: The `RunDirectory`.

    Returns:
        List of paths. A link to a file counts as one; a broken link does not.
    """
    files = (run.history_file, run.metrics_file, run.model_file, run.report_file, run.freezing_file)
    folders = (run.checkpoints, run.figures, run.codes, run.tracking)
    return [
        *(file for file in files if is_there(file) and not file.is_file()),
        *(folder for folder in folders if is_there(folder) and not folder.is_dir()),
    ]


def check_places(run):
    """Checks that a run can write its files, before any work.

    Args:
        run: The `RunDirectory`.

    Raises:
        FailureError: If something is `misplaced`.
    """
    if found := misplaced(run):
        raise FailureError(
            f"Something else stands at {', '.join(map(str, found))}, where the run writes. Move it "
            f"away, or have it renamed with: {repair_command(run.path)}"
        )
