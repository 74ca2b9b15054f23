"""What titles call data sets."""

import pytest

from keras_devae.data.titles import title_of


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("dsprites", "dsprites"),
        ("folder:/data/my clocks", "my clocks"),
        ("folder:clocks/", "clocks"),
        ("npz:a/b.npz", "b.npz"),
        ("folder:.", "folder:."),
    ],
)
def test_a_title_has_no_path(name, title):
    assert title_of(name) == title
