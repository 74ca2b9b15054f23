"""Pages of HTML that need no other file."""

import base64

import jinja2

from keras_devae.reports.formatting import number, setting
from keras_devae.version import __version__


def rendered(template, **values):
    """Fills a template of `keras_devae/experiments/templates`; all texts are escaped.

    Args:
        template: Name of its file.
        **values: What it shows.

    Returns:
        The page, a string.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_devae.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(number=number, setting=setting, picture_data=picture_data)
    return environment.get_template(template).render(version=__version__, **values)


def picture_data(file):
    """Returns a PNG file as an address that holds it."""
    return png_data(file.read_bytes())


def png_data(content):
    """Returns the content of a PNG file as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"
