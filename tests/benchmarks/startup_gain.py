"""How much faster `keras-devae train` is for what the package sets in its process on TensorFlow.

    python tests/benchmarks/startup_gain.py
    ONEDNN_MAX_CPU_ISA=AVX2 python tests/benchmarks/startup_gain.py

Three processes take turns at training on 3D Shapes, evaluation left out: as it is; with glibc's
own settings of its allocator; and without oneDNN too, as TensorFlow runs by itself on a processor
with AVX2 and nothing newer. `ONEDNN_MAX_CPU_ISA=AVX2` lets a newer processor stand in for such a
one. The processes' rates and the medians of the rounds' ratios are printed.
"""

import argparse
import os
import sys

from taking_turns import compare, serve

SIDES = {
    "as it is": {},
    "without the allocator": {"GLIBC_TUNABLES": ""},
    "without oneDNN either": {"GLIBC_TUNABLES": "", "TF_ENABLE_ONEDNN_OPTS": "0"},
}


def serve_training(batch_size):
    """Answers requests for training runs of some steps with their seconds, without the first."""
    # It imports the package, which is to find the environment of its side.
    from train_overhead import completed, train

    def seconds_of(steps):
        return steps / train(*completed("shapes3d", batch_size, steps))

    serve(seconds_of)


def main():
    """Prints the ratio of each round, and their medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve_training(given.batch_size)
        return
    words = [sys.executable, __file__, "--serve", "--batch-size", str(given.batch_size)]
    commands = {
        name: ["env", *(f"{key}={value}" for key, value in environment.items()), *words]
        for name, environment in SIDES.items()
    }
    compare(commands, given.rounds, given.steps, {"PYTHONPATH": os.path.dirname(__file__)})


if __name__ == "__main__":
    main()
