"""Describes data sets before anything is trained: what is there, and what is wrong with it."""

from __future__ import annotations

import collections
import hashlib
import shlex
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from keras_devae.checks import Array, counted, path_of
from keras_devae.data.dataset import Dataset, Progress
from keras_devae.data.folders.folder import headers_of
from keras_devae.data.folders.pictures import remove_pictures
from keras_devae.data.image_sizes import compact_size, pixels_text, size_text
from keras_devae.data.loading import load, outline
from keras_devae.data.own.decoding import decode_pictures
from keras_devae.data.own.folder_contents import (
    left_out_of,
    pages_left_out,
    picture_files,
    signature_of,
    unread_tables,
)
from keras_devae.data.own.headers import Form, Header, summary_of
from keras_devae.data.own.value_range import NARROW
from keras_devae.data.store import preparing
from keras_devae.errors import UsageError

#: Fewer images than this are learned by heart rather than by their factors.
FEW_IMAGES = 1000
# Images decoded at a time.
_AT_ONCE = 256
# Most pictures decoded, evenly spread over a folder whose files are larger than this together.
_SAMPLE, _SAMPLE_BYTES = 1000, 300_000_000
_NAMES_SHOWN = 5


def info(
    name: str,
    data_dir: str | Path | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Describes a data set: a built-in one, or your own images.

    Args:
        name: One of `names()`; or `"folder:PATH"`, `"npz:PATH"` or `"npy:PATH"`.
        data_dir: Folder in which to look for prepared data; see `prepare`.
        progress: Called while pictures are decoded, as in `load`.
        **options: For your own images, options of `load` such as `image_size` and `factors_file`.

    Returns:
        For a built-in data set, a dictionary with `name`, `title`, `factors` (name to number of
        values), `images`, `image_shape`, `image_sizes` (heights and widths that it can be prepared
        in), `drawn` (whether the package can draw it), `licence`, `citation`, `homepage`, `files`
        (for each published file, `name`, `url`, `num_bytes`, `sha256` and `md5`, `None` if
        unknown), `prepared` (the path of each size that is prepared here, with what it was made
        from) and `path` (where it is or would be prepared). For your own images, `name`, `images`,
        `image_shape` (as a run would have it), `sizes` (from `"64x64"` to the number of images),
        `modes` (from the mode of pictures in Pillow, or the type of an array, to their number),
        `value_range`, `examined` (how many images were decoded for it), `duplicates` (how many of
        them repeat an earlier one), `factors` (for each, `kind`, `values` and `range`),
        `sequences` (their number, or `None`), `problems` (sentences) and `next` (a command).

    Raises:
        UsageError: If the name is unknown, or an option is wrong.
        FailureError: If a file is damaged, or no picture can be decoded.
    """
    if not isinstance(name, str) or ":" not in name:
        if options:
            raise UsageError(
                f"The options {', '.join(options)} belong to images of your own. "
                f"Received: {name!r} with them."
            )
        return preparing.info(name, data_dir)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outlined = outline(name, data_dir=data_dir, **options)
        kind, _, path = name.partition(":")
        describe = _describe_folder if kind == "folder" else _describe_arrays
        found = describe(name, Path(path).expanduser(), outlined, progress, options)
    problems = [*found.pop("problems"), *(str(each.message) for each in caught)]
    return {
        "name": name,
        "images": len(outlined),
        "image_shape": list(outlined.image_shape),
        **found,
        "factors": _factors(outlined),
        "sequences": None if outlined.sequences is None else len(np.unique(outlined.sequences)),
        "problems": [*dict.fromkeys([*problems, *_problems(outlined)])],
        "next": _next_command(name, options, bool(found["damaged"])),
    }


def remove(
    name: str,
    data_dir: str | Path | None = None,
    downloads: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Removes what is kept of a data set in the data folder.

    Args:
        name: One of `names()`, whose conversions are removed, finished or not; or `"folder:PATH"`,
            whose decoded pictures are. The folder itself is not touched.
        data_dir: As for `prepare`.
        downloads: Whether to remove the published files in the data folder, too. Default: `False`.
        progress: Called while another process has to be waited for.

    Returns:
        The paths of what was removed.

    Raises:
        UsageError: If the name is unknown.
        FailureError: If something cannot be removed.
    """
    if isinstance(name, str) and name.startswith("folder:"):
        folder = path_of("folder", name.removeprefix("folder:"))
        return remove_pictures(folder, preparing.data_directory(data_dir))
    return preparing.remove(name, data_dir, downloads, progress)


class _Pixels:
    """What is seen of pixels that pass by: their range, flat images, and repeated ones."""

    def __init__(self) -> None:
        self.lowest, self.highest, self.count, self.flat, self.repeated = 255, 0, 0, 0, 0
        self._seen: set[bytes] = set()

    def add(self, images: Array) -> None:
        """Takes uint8 images `(n, h, w, c)`."""
        if not len(images):
            return
        self.lowest = min(self.lowest, int(images.min()))
        self.highest = max(self.highest, int(images.max()))
        self.count += len(images)
        self.flat += int((images.max((1, 2)) == images.min((1, 2))).all(-1).sum())
        for pixels in images:
            digest = hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16).digest()
            self.repeated += digest in self._seen
            self._seen.add(digest)

    def facts(self) -> dict[str, Any]:
        """Returns the entries of `info`."""
        return {
            "value_range": [self.lowest, self.highest] if self.count else None,
            "examined": self.count,
            "duplicates": self.repeated,
        }

    def problems(self) -> Iterator[str]:
        """Yields what is wrong with the pixels."""
        if self.flat:
            verb = "is" if self.flat == 1 else "are"
            yield f"{self.flat:,} of the images {verb} flat: every pixel has the same value."
        if self.repeated:
            verb = "repeats" if self.repeated == 1 else "repeat"
            yield f"{self.repeated:,} of the images {verb} an earlier one, pixel by pixel."
        if self.count and self.highest - self.lowest < NARROW:
            yield (
                f"The pixels lie in {self.lowest}..{self.highest} of 0..255; stretch them to "
                "0..255 first."
            )


def _describe_folder(
    name: str,
    folder: Path,
    outlined: Dataset,
    progress: Progress | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    files = picture_files(folder)
    headers = headers_of(folder, signature_of(files))
    readable = [row for row, header in enumerate(headers) if header.reason is None]
    damaged = {files[row].name: h.reason for row, h in enumerate(headers) if h.reason is not None}
    total = sum(files[row].stat().st_size for row in readable)
    every = 1 if total <= _SAMPLE_BYTES else max(1, len(readable) // _SAMPLE)
    shown = [files[row] for row in readable[::every]]
    pixels, remarks = _Pixels(), list[str]()
    pages: dict[str, int] = {}
    height, width, channels = outlined.image_shape
    form = Form((height, width), channels, False)
    for start in range(0, len(shown), _AT_ONCE):
        decoded = decode_pictures(shown[start : start + _AT_ONCE], form)
        reasons = {shown[start + row].name: each for row, each in decoded.reasons.items()}
        damaged |= reasons
        kept = [row for row in range(len(decoded.images)) if row not in decoded.reasons]
        pixels.add(decoded.images[kept])
        remarks += decoded.remarks
        pages |= decoded.pages
        if progress is not None:
            progress(min(start + _AT_ONCE, len(shown)), len(shown), f"Decoding {folder.name}")
    own = summary_of(headers)
    left_out = [*left_out_of(folder, files), *pages_left_out(pages)]
    return {
        "sizes": _occurrences(f"{headers[row].height}x{headers[row].width}" for row in readable),
        "modes": _occurrences(headers[row].mode for row in readable),
        "transparent": sum(header.may_be_transparent for header in headers),
        "proposed_size": size_text(own.size),
        "damaged": damaged,
        **pixels.facts(),
        "problems": [
            *_folder_problems(damaged, left_out, headers, remarks, options),
            *_enlarged(headers, height, width),
            *pixels.problems(),
            *_unread_tables(folder, outlined, options),
        ],
    }


def _enlarged(headers: Iterable[Header], height: int, width: int) -> Iterator[str]:
    """Says how many pictures are smaller than the images made of them."""
    count = sum(
        header.reason is None and (header.height < height or header.width < width)
        for header in headers
    )
    if count:
        verb = "is" if count == 1 else "are"
        yield f"{counted(count, 'picture')} {verb} enlarged to {pixels_text((height, width))}."


def _unread_tables(folder: Path, outlined: Dataset, options: dict[str, Any]) -> Iterator[str]:
    """Says how to use the tables beside the pictures, where no factors are read."""
    if outlined.factor_names is not None or options.get("factors_file") is not None:
        return
    tables = unread_tables(folder)
    if tables:
        names = ", ".join(path.name for path in tables[:_NAMES_SHOWN])
        yield (
            f"Not read: {names}{' ...' * (len(tables) > _NAMES_SHOWN)}; to use "
            f"{'it' if len(tables) == 1 else 'one of them'} as factors, give "
            f"factors_file={str(tables[0])!r}. The first column of a CSV file must be called "
            "file and hold the names of the pictures."
        )


def _folder_problems(
    damaged: dict[str, Any],
    left_out: list[str],
    headers: Iterable[Header],
    remarks: list[str],
    options: dict[str, Any],
) -> Iterator[str]:
    if damaged:
        names = ", ".join([*damaged][:_NAMES_SHOWN]) + (" ..." * (len(damaged) > _NAMES_SHOWN))
        reason = next(iter(damaged.values()))
        what = "it" if len(damaged) == 1 else "them"
        advice = "" if options.get("skip_damaged") else f"; repair {what}, or use `skip_damaged`"
        yield f"{counted(len(damaged), 'picture')} cannot be decoded: {names} ({reason}){advice}."
    if left_out:
        yield f"Left out: {'; '.join(left_out)}."
    yield from (f"{remark[0].upper()}{remark[1:]}." for remark in dict.fromkeys(remarks))
    grey = {header.is_grey for header in headers if header.reason is None}
    if len(grey) == 2:
        yield "Some pictures are grey and others in colour; all are read as colour."


def _describe_arrays(
    name: str,
    path: Path,
    outlined: Dataset,
    progress: Progress | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    dataset = load(name, progress=progress, **{**options, "image_size": None})
    height, width, channels = dataset.image_shape
    pixels = _Pixels()
    for start in range(0, len(dataset), _AT_ONCE):
        pixels.add(dataset.images(np.arange(start, min(start + _AT_ONCE, len(dataset)))))
        if progress is not None:
            progress(min(start + _AT_ONCE, len(dataset)), len(dataset), f"Reading {path.name}")
    return {
        "sizes": {pixels_text((height, width)): len(dataset)},
        "modes": {f"{channels} channel{'s' * (channels > 1)}": len(dataset)},
        "transparent": 0,
        "proposed_size": size_text(compact_size(height, width)),
        "damaged": {},
        **pixels.facts(),
        "problems": list(pixels.problems()),
    }


def _occurrences(values: Iterable[str]) -> dict[str, int]:
    """Returns how often each value occurs, the most frequent first."""
    return dict(collections.Counter(values).most_common())


def _factors(dataset: Dataset) -> dict[str, dict[str, Any]]:
    if dataset.factor_names is None:
        return {}
    rows = np.arange(len(dataset))
    numbers, measured = dataset.factors(rows), dataset.factor_values(rows)
    found = {}
    for column, name in enumerate(dataset.factor_names):
        values = measured[:, column]
        facts: dict[str, Any] = {
            "kind": "numbers",
            "values": len(np.unique(values)),
            "range": [float(values.min()), float(values.max())],
        }
        if name in dataset.continuous_factors:
            facts |= {"kind": "continuous", "bins": len(np.unique(numbers[:, column]))}
        elif name in dataset.nominal_factors:
            facts |= {"kind": "classes", "labels": list(dataset.factor_labels.get(name, ()))}
        found[name] = facts
    return found


def _problems(dataset: Dataset) -> Iterator[str]:
    """Yields what is wrong with the number of images, and with their factors."""
    if len(dataset) < FEW_IMAGES:
        yield (
            f"There {'is' if len(dataset) == 1 else 'are'} only "
            f"{counted(len(dataset), 'image')}; with fewer than {FEW_IMAGES:,}, models memorise "
            "images instead of learning factors, and scores are rough."
        )
    facts = _factors(dataset)
    constant = [name for name, each in facts.items() if each["values"] == 1]
    if constant:
        yield f"These factors never vary and cannot be scored: {', '.join(constant)}."
    if not facts:
        yield "There are no factors: images can be encoded, but scores that need factors cannot."


def _next_command(name: str, options: dict[str, Any], is_damaged: bool) -> str:
    """Returns the command that trains on these images."""
    words = ["keras-devae", "train", "--dataset", name]
    for option, value in options.items():
        flag = f"--{option.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif isinstance(value, dict):
            words += [flag, ",".join(f"{key}={each}" for key, each in value.items())]
        elif value not in (None, False, ()):
            words += [flag, size_text(value) if option == "image_size" else str(value)]
    if is_damaged and not options.get("skip_damaged"):
        words.append("--skip-damaged")
    return shlex.join(words)
