"""`keras-devae data`."""

from collections.abc import Iterator
from typing import Any

import click

from keras_devae.checks import counted
from keras_devae.cli.formatting import print_fact
from keras_devae.cli.options import IMAGE_SIZE, PATH, json_option, print_json, progress_bars
from keras_devae.cli.setting_options import setting_options
from keras_devae.cli.spelling import in_options
from keras_devae.data.image_sizes import ImageSize

_data_dir = click.option(
    "--data-dir",
    type=PATH,
    metavar="FOLDER",
    help="Folder that holds the prepared data sets.  [default: KERAS_DEVAE_DATA, else the user's "
    "cache folder]",
)
_force = "Download (unless --from is given) and convert the files again."


#: Settings of a user's own images that `info` takes.
_OF_OWN = (
    *("image_size", "factors_file", "bins", "factor_kinds", "sequence_column"),
    *("skip_damaged", "channels"),
)


#: Mode of pictures in Pillow -> what it means.
_MODES = {
    "1": "black and white",
    "L": "grey",
    "LA": "grey with transparency",
    "I;16": "grey, 16 bits",
    "P": "palette",
    "RGB": "colour",
    "RGBA": "colour with transparency",
    "CMYK": "colour for print",
}


@click.group()
def data() -> None:
    """List, describe, prepare, verify and remove data sets."""


@data.command("list", short_help="List the data sets.")
@_data_dir
@json_option
def list_data(data_dir: str | None, as_json: bool) -> None:
    """List the data sets, and where their images come from on this machine."""
    from keras_devae.data import info, names
    from keras_devae.data.folders.pictures import stored_folders
    from keras_devae.data.store.preparing import data_directory

    rows = [info(name, data_dir) for name in names()]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        shape = "x".join(map(str, row["image_shape"]))
        name, images = row["name"], row["images"]
        click.echo(f"{name:<16} {images:>9,} images of {shape:<9} {_source(row)}")
    click.echo("folder:PATH      your own pictures; try: keras-devae data info folder:PATH")
    click.echo("npz:PATH         your own images, and factors, as arrays in an .npz file")
    click.echo("npy:PATH         your own images in a large .npy file, which is read as needed")
    if any(not row["prepared"] and not row["drawn"] for row in rows):
        click.echo("\nPrepare a data set with: keras-devae data prepare NAME")
    kept = stored_folders(data_directory(data_dir))
    if kept:
        total = _size(sum(each["bytes"] for each in kept))
        click.echo(f"\nDecoded pictures of your folders take {total} of disk space:")
    for each in kept:
        where = each["folder"] or each["path"]
        shapes = ", ".join(each["entries"])
        click.echo(f"  {_size(each['bytes']):>9}  {shapes}  {where}")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _source(facts: dict[str, Any]) -> str:
    if facts["prepared"]:
        return f"official, in {', '.join(facts['prepared'])}"
    return "drawn by this package" if facts["drawn"] else "not prepared yet"


@data.command("info", short_help="Describe a data set, or your own images.")
@click.argument("name")
@_data_dir
@setting_options(dict.fromkeys(_OF_OWN))
@json_option
@click.pass_context
def show_info(
    context: click.Context, name: str, data_dir: str | None, as_json: bool, **given: Any
) -> None:
    """Describe the data set NAME, or your own images, e.g. folder:PATH.

    Of a built-in data set, shows factors, licence, citation, files and hashes. Of your own images,
    shows how many there are, their sizes, channels and range, their factors, any problems, and the
    command to type next. All options but --data-dir are for your own images.
    """
    from keras_devae.data import info

    options = {name: value for name, value in given.items() if value is not None}
    with progress_bars(as_json) as progress:
        facts = info(name, data_dir, progress, **options)
    if "problems" in facts:
        facts["problems"] = [in_options(text, context.command) for text in facts["problems"]]
    if as_json:
        print_json(facts)
        return
    for key, value in _own_lines(facts) if ":" in name else _lines(facts):
        print_fact(key, value, 19)


def _own_lines(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields the name and the text of each line of the description of a user's own images."""
    yield "name", facts["name"]
    yield "images", f"{facts['images']:,} of {'x'.join(map(str, facts['image_shape']))}"
    yield "sizes", _frequent(facts["sizes"])
    yield "pixels", _frequent({_MODES.get(m, m): n for m, n in facts["modes"].items()})
    if facts["transparent"]:
        yield "transparent", f"{facts['transparent']:,}, shown on white"
    if facts["value_range"]:
        lowest, highest = facts["value_range"]
        examined = facts["examined"]
        seen = "" if examined == facts["images"] else f", in the {examined:,} images examined"
        yield "range", f"{lowest}..{highest} of 0..255{seen}"
    for name, factor in facts["factors"].items():
        yield "factor", f"{name}: {_factor_text(factor)}"
    if facts["sequences"] is not None:
        yield "sequences", f"{facts['sequences']:,}"
    for problem in facts["problems"]:
        yield "note", problem
    yield "next", facts["next"]


def _frequent(counts: dict[str, int], shown: int = 5) -> str:
    parts = [f"{value} ({count:,})" for value, count in [*counts.items()][:shown]]
    rest = len(counts) - shown
    return ", ".join(parts) + (f" and {rest:,} others" if rest > 0 else "")


def _factor_text(factor: dict[str, Any]) -> str:
    lowest, highest = factor["range"]
    if factor["kind"] == "continuous":
        return f"continuous, {lowest:g}..{highest:g}, {counted(factor['bins'], 'bin')} where needed"
    if factor["kind"] == "classes":
        labels = factor["labels"]
        shown = f", {', '.join(labels[:8])}{' ...' * (len(labels) > 8)}" if labels else ""
        return f"{counted(factor['values'], 'class', 'classes')}{shown}"
    return f"{counted(factor['values'], 'number')}, {lowest:g}..{highest:g}"


def _lines(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields the name and the text of each line of the description."""
    yield "name", f"{facts['name']} ({facts['title']})"
    shape = "x".join(map(str, facts["image_shape"]))
    yield "images", f"{facts['images']:,} of {shape}"
    yield "factors", ", ".join(f"{name} ({count})" for name, count in facts["factors"].items())
    if facts["files"]:
        yield "prepared with", " or ".join(map(str, facts["image_sizes"])) + " pixels per side"
    yield "built-in renderer", "yes" if facts["drawn"] else "no"
    for key in ("licence", "citation", "homepage"):
        yield key, facts[key]
    for file in facts["files"]:
        yield "file", file["name"]
        yield "  published at", file["url"]
        for mirror in file["mirrors"]:
            yield "  or at", mirror
        if file["num_bytes"]:
            yield "  bytes", f"{file['num_bytes']:,}"
        for key, title in (("sha256", "SHA-256"), ("md5", "MD5")):
            if file[key]:
                replaced = " (replaced by its authors since; other hashes are accepted)"
                yield f"  {title}", file[key] + (replaced if file["was_replaced"] else "")
    for path, made_from in facts["prepared"].items():
        matches = {True: "as published", False: "not as published", None: "no hash to compare with"}
        yield "prepared at", path
        yield "  from", f"{made_from['file']} ({matches[made_from['matches_published']]})"
    if facts["files"] and not facts["prepared"]:
        yield "prepared at", f"not yet; it would be in {facts['path']}"


@data.command("prepare", short_help="Download, verify and convert official files.")
@click.argument("name")
@click.option(
    "--from",
    "from_file",
    type=PATH,
    metavar="FILE",
    help="The official file, or its folder, if you already have it.  [default: download it]",
)
@click.option("--url", help="Address to download from.  [default: the published one]")
@click.option("--image-size", type=IMAGE_SIZE, help="Pixels per side.  [default: 64]")
@click.option("--force-download", is_flag=True, help=_force)
@_data_dir
def prepare_data(
    name: str,
    from_file: str | None,
    url: str | None,
    image_size: ImageSize | None,
    force_download: bool,
    data_dir: str | None,
) -> None:
    """Download the official files of NAME, verify them and convert them for fast reading.

    If it is interrupted, the same command resumes.
    """
    from keras_devae.data import info, prepare

    with progress_bars() as progress:
        path = prepare(name, from_file, data_dir, url, force_download, image_size, progress)
    click.echo(path)
    made_from = info(name, data_dir)["prepared"].get(str(path))
    if made_from and made_from["matches_published"] is False:
        click.echo(f"Note: {made_from['file']} is not the published file.", err=True)
    if made_from and made_from["matches_published"] is None:
        note = "there is no reliable hash of the published file; it was accepted for its contents"
        click.echo(f"Note: {made_from['file']}: {note}.", err=True)


@data.command("verify", short_help="Check files against their recorded hashes.")
@click.argument("name")
@_data_dir
@json_option
def verify_data(name: str, data_dir: str | None, as_json: bool) -> None:
    """Check all files of NAME on this machine against their recorded hashes."""
    from keras_devae.data import verify

    with progress_bars(as_json) as progress:
        found = verify(name, data_dir, progress)
    if as_json:
        print_json(found)
        return
    for path, state in found.items():
        click.echo(f"{path}: {state}")


@data.command("remove", short_help="Remove prepared data.")
@click.argument("name")
@click.option("--downloads", is_flag=True, help="Also remove the downloaded files.")
@_data_dir
def remove_data(name: str, downloads: bool, data_dir: str | None) -> None:
    """Remove the prepared data of NAME, complete or not.

    For folder:PATH, removes its decoded pictures; the folder itself is not touched.
    """
    from keras_devae.data import remove

    with progress_bars() as progress:
        removed = remove(name, data_dir, downloads, progress)
    for path in removed:
        click.echo(f"removed {path}")
    if not removed:
        click.echo(f"Nothing is prepared of {name}.")
