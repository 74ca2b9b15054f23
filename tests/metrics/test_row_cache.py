"""What is computed of a row is computed once, and found again by its number."""

import numpy as np

from keras_devae.metrics.samplers import RowCache


def filled(cache, rows, chunk=3):
    """Adds the squares of rows, and returns which of them had to be computed."""
    chunks = cache.missing(np.asarray(rows), chunk)
    cache.add([{"rows": new, "squares": new**2} for new in chunks])
    return [new.tolist() for new in chunks]


def test_rows_are_asked_for_once_in_order_and_in_chunks():
    cache = RowCache(20)
    assert filled(cache, [[7, 3], [3, 15], [0, 7]]) == [[0, 3, 7], [15]]
    assert filled(cache, [15, 2, 0]) == [[2]]
    assert filled(cache, [3, 2]) == []


def test_values_of_rows_of_any_shape_are_found():
    cache = RowCache(20)
    filled(cache, [9, 4, 1])
    filled(cache, [16, 0])
    rows = np.array([[16, 1, 9], [0, 4, 4]])
    np.testing.assert_array_equal(cache.take("squares", rows), rows**2)
    assert cache.stored["rows"].tolist() == [1, 4, 9, 0, 16]


def test_an_empty_cache_holds_nothing():
    cache = RowCache(5)
    cache.add([])
    assert cache.stored == {} and [rows.tolist() for rows in cache.missing(np.arange(2), 9)] == [
        [0, 1]
    ]
