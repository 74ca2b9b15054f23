"""Packs settings, histories, scores and tracked measurements of finished runs into one small file.

python examples/archive_runs.py runs/reproduce/small runs.tar.xz
tar -xf runs.tar.xz -C runs/reproduce            # elsewhere, to go on from there

Unpacked, the runs count as done: tables and figures of scores are made from them again, and a study
trains only what is missing. Models and pictures are not in the archive.
"""

import argparse
import tarfile
import tempfile
from pathlib import Path

#: Files of a run, about 40 kB, and 8 kB when packed.
FILES = (
    "config.json",
    "history.csv",
    "metrics.json",
    "reproduction/*.json",
    "tracking/*.npz",
)
#: A run with a report is done. The real one is ten times larger than all the rest.
REPORT = "<p>This run comes from an archive, without its model and its report.</p>\n"


def pack(study, output):
    """Writes the archive of a study's folder and returns the names of the runs in it."""
    done = sorted(report.parent for report in study.glob("*/report.html"))
    with tempfile.TemporaryDirectory() as folder, tarfile.open(output, "w:xz") as archive:
        report = Path(folder) / "report.html"
        report.write_text(REPORT, encoding="utf-8")
        for run in done:
            found = [file for pattern in FILES for file in sorted(run.glob(pattern))]
            found += sorted((study / "records" / run.name).glob("*.json*"))
            for file in found:
                archive.add(file, file.relative_to(study.parent))
            archive.add(report, (run / report.name).relative_to(study.parent))
    return [run.name for run in done]


def main():
    """Reads the command line and packs the runs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("study", type=Path, help="Folder of the runs.")
    parser.add_argument("output", type=Path, help="Archive to write, such as runs.tar.xz.")
    arguments = parser.parse_args()
    if not arguments.study.is_dir():
        parser.error(f"There is no folder {arguments.study}.")
    names = pack(arguments.study, arguments.output)
    print(f"{len(names)} run(s) in {arguments.output}, {arguments.output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
