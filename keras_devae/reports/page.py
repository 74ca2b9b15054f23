"""Self-contained HTML pages."""

from typing import Any

import jinja2

from keras_devae.reports.formatting import format_number, format_setting
from keras_devae.reports.pictures import panels_of, picture, rows_in
from keras_devae.version import __version__


def render_page(template: str, **values: Any) -> str:
    """Fills a template of `keras_devae/reports/templates`; all texts are escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_devae.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        number=format_number,
        setting=format_setting,
        picture=picture,
        rows=rows_in,
        panels=panels_of,
    )
    return environment.get_template(template).render(version=__version__, **values)
