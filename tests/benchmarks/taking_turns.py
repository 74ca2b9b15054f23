"""Comparison of training loops that cannot live in one process, by letting them take turns."""

import contextlib
import os
import resource
import statistics
import subprocess
import sys


def serve(seconds_of):
    """Answers requests on the standard input until it is closed.

    Args:
        seconds_of: Function that takes a number of steps, takes them, and returns how long that
            took, in seconds.
    """
    # What libraries print must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        faults = _page_faults()
        seconds = seconds_of(int(line)) / int(line)
        print(seconds, (_page_faults() - faults) / int(line), file=answers, flush=True)


def _page_faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def compare(commands, rounds, steps, environment=None):
    """Lets processes that `serve` take turns, and prints their rates and the ratios to the first.

    At the end stand each one's median rate, its median of minor page faults a step (how often the
    kernel made a page of memory for it), and the median ratio with the least and the largest.

    Args:
        commands: Name -> command line of each process, the one to compare with the others first.
        rounds: Turns of each.
        steps: Steps of a turn. As many are taken by each before the first round.
        environment: Further environment variables of the processes, or `None`.
    """
    sides = {
        name: subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        for name, command in commands.items()
    }

    def turn(order):
        return {name: _answer(name, sides[name], steps) for name in order}

    turn(list(sides))
    own, *others = sides
    ratios, answers = {name: [] for name in others}, {name: [] for name in sides}
    for number in range(rounds):
        # Neither is always the later one.
        answered = turn(list(sides) if number % 2 == 0 else list(reversed(sides)))
        seconds = {name: answered[name][0] for name in sides}
        for name in sides:
            answers[name].append(answered[name])
        for name in others:
            ratios[name].append(seconds[name] / seconds[own])
        rates = ", ".join(f"{name} {1 / seconds[name]:.2f} steps/s" for name in sides)
        print(f"{rates}: " + ", ".join(f"{ratios[name][-1]:.2f} x" for name in others), flush=True)
    for name in sides:
        middle, faults = map(statistics.median, zip(*answers[name], strict=True))
        print(f"{name}: {1 / middle:.2f} steps/s, {faults:.0f} page faults a step")
    for name in others:
        low, high = min(ratios[name]), max(ratios[name])
        print(
            f"{own}: {statistics.median(ratios[name]):.2f} x the steps/s of {name} "
            f"({low:.2f} to {high:.2f})"
        )
    for side in sides.values():
        side.stdin.close()
        side.wait()


def _answer(name, side, steps):
    # A process that has ended takes no request, and gives no answer either.
    with contextlib.suppress(OSError):
        print(steps, file=side.stdin, flush=True)
    answer = side.stdout.readline()
    if not answer:
        raise SystemExit(f"The process of {name} ended. Run it with --serve {name} to see why.")
    return tuple(map(float, answer.split()))
