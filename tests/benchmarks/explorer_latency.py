"""How long the explorer's picture takes to follow a slider, in Chromium.

Usage: `python explorer_latency.py RUN [--moves 50]` with the folder of a trained run; needs
Playwright and Chromium. A time is that from the slider's input event to the new picture in the
page. The last line is the picture after all keys were pressed at once, from the last of them on.
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys

from playwright.sync_api import sync_playwright

WATCH = """() => {
  window.moved = 0; window.times = [];
  document.addEventListener('input', () => { window.moved = performance.now(); }, true);
  const source = () => document.querySelector('#decoded img').src;
  let shown = source();
  new MutationObserver(() => {
    if (source() === shown) return;
    shown = source();
    window.times.push(performance.now() - window.moved);
  }).observe(
    document.querySelector('#decoded'), {childList: true, subtree: true, attributes: true}
  );
}"""


@contextlib.contextmanager
def served(run):
    """Runs `keras-devae explore`; yields the address of its page."""
    command = [sys.executable, "-m", "keras_devae.cli", "explore", run, "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield next(
            found.group() for line in process.stdout if (found := re.search(r"http\S+", line))
        )
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def measure(page, moves):
    """Moves the first slider by the arrow keys; returns milliseconds of each, and of all at once.

    Args:
        page: Playwright's page with the explorer.
        moves: Number of moves, there and back again.
    """
    page.wait_for_selector("#decoded img")
    page.wait_for_selector("input[type=range]")
    page.evaluate(WATCH)
    page.locator("input[type=range]").first.focus()
    keys = ["ArrowRight" if i % 20 < 10 else "ArrowLeft" for i in range(moves)]
    for number, key in enumerate(keys):
        page.keyboard.press(key)
        page.wait_for_function("count => window.times.length > count", arg=number)
    times = page.evaluate("window.times")
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(3000)
    return times, page.evaluate("window.times").pop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--moves", type=int, default=50)
    chosen = parser.parse_args()
    with served(chosen.run) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.goto(address)
        times, last = measure(page, chosen.moves)
        browser.close()
    print(f"{len(times)} moves: median {statistics.median(times):.0f} ms, max {max(times):.0f} ms")
    print(f"20 keys at once: {last:.0f} ms after the last")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
