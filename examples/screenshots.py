"""Takes pictures of a run's report and explorer, as a telephone and a computer show them.

pip install 'keras-devae[explore,browser]' and Chromium, then:
python examples/screenshots.py runs/mine pictures
"""

import argparse
import contextlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

SIZES = {"telephone": (390, 844), "computer": (1280, 800)}
SCHEMES = ("light", "dark")


@contextlib.contextmanager
def explorer(run):
    """Serves the explorer of a run; gives its address."""
    command = [sys.executable, "-m", "keras_devae.cli", "explore", str(run), "--no-browser"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **streams) as process:
        try:
            yield re.search(r"http://\S+", process.stdout.readline()).group()
        finally:
            process.terminate()


def shoot(browser, address, ready, folder, name):
    """Takes the first screen of a page at every size, in both colour schemes."""
    for device, (width, height) in SIZES.items():
        for scheme in SCHEMES:
            size = {"width": width, "height": height}
            with browser.new_context(viewport=size, color_scheme=scheme) as context:
                page = context.new_page()
                page.goto(address)
                page.wait_for_selector(ready)
                page.wait_for_timeout(500)
                page.screenshot(path=folder / f"{name}-{device}-{scheme}.png")


def main(run, folder="pictures"):
    """Writes eight pictures into a folder."""
    from playwright.sync_api import sync_playwright

    run, folder = Path(run), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        report = (run / "report.html").resolve().as_uri()
        shoot(browser, report, "h1", folder, "report")
        with explorer(run) as address:
            shoot(browser, address, "input[type=range]", folder, "explore")
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", help="folder of a run, with its report")
    parser.add_argument("folder", nargs="?", default="pictures", help="[default: %(default)s]")
    main(**vars(parser.parse_args()))
