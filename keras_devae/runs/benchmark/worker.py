"""The process that measures one training configuration, one round per request.

It is given its settings as JSON and reads words from standard input: `train` any number of times,
`stop`, `encode` any number of times, and `stop`. It answers `train`, `encode` and its own readiness
with a line of JSON.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from keras_devae.runs.benchmark.measuring import Bench

_Answer: TypeAlias = Callable[[dict[str, Any]], None]


def main() -> None:
    """Runs the process."""
    # The answers have their own channel; whatever else is printed goes to the errors.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(facts: dict[str, Any]) -> None:
        print(json.dumps(facts), file=answers, flush=True)

    try:
        _measure(json.loads(sys.argv[1]), answer)
    except Exception as error:
        message = " ".join(str(error).split())
        answer({"failure": f"{type(error).__name__}: {message}"[:300]})


def _measure(given: dict[str, Any], answer: _Answer) -> None:
    from keras_devae.runs.benchmark.measuring import Bench
    from keras_devae.runs.config.run_config import RunConfig

    bench = Bench(RunConfig.from_dict(given["config"]), given["precision"], given["seconds"])
    bench.train(_training(bench, answer, time.perf_counter()))
    for _ in _words("encode"):
        answer({"encoding_images_per_second": bench.encoding_rate()})


def _training(bench: "Bench", answer: _Answer, start: float) -> Iterator[None]:
    """Measures training as the `script` of `Bench.train`; begins after the first execution."""
    first_step = time.perf_counter() - start
    # Warms up.
    yield from bench.training_rate(repeated=False)
    answer({**bench.facts(), "first_step_seconds": first_step})
    for turn, _ in enumerate(_words("train")):
        # In turn, so that neither is always the later one.
        rates, faults = {}, {}
        for repeated in (False, True) if turn % 2 == 0 else (True, False):
            rates[repeated], faults[repeated] = yield from bench.training_rate(repeated)
        answer(
            {
                "steps_per_second": rates[False],
                "waiting_share": 1 - rates[False] / rates[True],
                "data_images_per_second": bench.data_rate(),
                "peak_gigaflops": bench.product_rate() / 1e9,
                **({} if faults[False] is None else {"page_faults_per_step": faults[False]}),
            }
        )


def _words(expected: str) -> Iterator[str]:
    """Yields the words of the standard input up to `stop`; all must be the expected one."""
    for word in map(str.strip, sys.stdin):
        if word == "stop":
            return
        if word != expected:
            # Whoever waits for an answer gets one.
            raise ValueError(f"Received {word!r} where {expected!r} or 'stop' is expected.")
        yield word


if __name__ == "__main__":
    main()
