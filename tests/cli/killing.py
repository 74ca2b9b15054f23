"""Runs of the command line, in processes of their own, that kill themselves at a chosen moment.

    python killing.py MOMENTS FOLDER WORD ...

runs `keras-devae train WORD ... --runs-dir FOLDER --run killed` once for each of the moments,
separated by commas, and goes on with `--resume`; the last time undisturbed. It prints how each
process ended. A moment is `step:N`, after N steps of that process; `unfinished:K`, in the middle of
the K-th checkpoint that it writes; `unnamed:K` and `named:K`, right before and right after the K-th
renaming of any file, or `unnamed:FILE` and `named:FILE`, of the first one to that name;
`seconds:S`; or `none`. From `full:N` on, after N steps, files of more than 100 kB cannot be
written, as on a full disk.
"""

import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path


def _die():
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def _counting(function, number, before=None, after=None):
    """Wraps a function, and does something before or after its call of a number."""
    count = 0

    def call(*arguments, **options):
        nonlocal count
        count += 1
        if count == number and before:
            before(*arguments)
        result = function(*arguments, **options)
        if count == number and after:
            after()
        return result

    return call


def _kill_at_renaming(which, **act):
    if which.isdecimal():
        os.replace = _counting(os.replace, int(which), **act)
        return
    rename = os.replace
    at_the_first = _counting(rename, 1, **act)

    def call(source, target):
        (at_the_first if Path(target).name == which else rename)(source, target)

    os.replace = call


def _halve_and_die(model, path, *_):
    Path(path).write_bytes(b"PK" + bytes(5000))
    _die()


def _fill_the_disk():
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))


def _after_step(number, act):
    from keras_devae.runs.recorder import RunRecorder

    end = _counting(RunRecorder.on_train_batch_end, number, after=act)
    RunRecorder.on_train_batch_end = lambda self, batch, logs=None: end(self, batch, logs)


def arrange(moment):
    """Arranges the end of this process."""
    from keras_devae.models import VAE

    kind, _, number = moment.partition(":")
    match kind:
        case "step":
            _after_step(int(number), _die)
        case "full":
            _after_step(int(number), _fill_the_disk)
        case "unfinished":
            save = _counting(VAE.save, int(number), before=_halve_and_die)
            VAE.save = lambda self, path: save(self, path)
        case "unnamed":
            _kill_at_renaming(number, before=lambda *_: _die())
        case "named":
            _kill_at_renaming(number, after=_die)
        case "seconds":
            threading.Timer(float(number), _die).start()


def attempt(moment, words):
    """Runs the command line in a process of its own, and returns its exit status."""
    child = os.fork()
    if child == 0:
        from keras_devae.cli import main

        arrange(moment)
        main(words)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main():
    """Carries the attempts out."""
    moments, folder, *words = sys.argv[1:]
    # Imported, but not yet in use: the processes split off need not import it again.
    import keras_devae.callbacks
    import keras_devae.runs.training  # noqa: F401

    run = Path(folder, "killed")
    for moment in [*filter(None, moments.split(",")), "none"]:
        begun = (run / "config.json").is_file()
        new = [*words, "--runs-dir", folder, "--run", "killed"]
        arguments = ["train", *(["--resume", str(run)] if begun else new)]
        print(moment, attempt(moment, [*arguments, "--json"]), flush=True)


if __name__ == "__main__":
    main()
