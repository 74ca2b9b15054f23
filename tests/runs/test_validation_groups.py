"""Images that stay together where some are held out."""

import numpy as np
import pytest

from keras_devae.data import from_arrays
from keras_devae.errors import UsageError
from keras_devae.runs.validation import split


@pytest.mark.parametrize("share", [0.1, 0.95])
def test_says_how_few_sequences_there_are_and_what_is_possible(share):
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8), np.uint8)
    videos = np.repeat(np.arange(3), [2, 4, 6])[:, None]
    dataset = from_arrays(images, videos, ["video"], sequence_column="video")
    with pytest.raises(UsageError, match="only 3 sequences; a share of") as caught:
        split(dataset, share, 0)
    possible = float(str(caught.value).partition("a share of ")[2].partition(" is")[0])
    assert 2 <= len(split(dataset, possible, 0).held_out) <= 10


def test_one_sequence_cannot_be_parted():
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8), np.uint8)
    dataset = from_arrays(images, np.ones((12, 1), int), ["video"], sequence_column="video")
    with pytest.raises(UsageError, match=r"only 1 sequence\.$"):
        split(dataset, 0.5, 0)
