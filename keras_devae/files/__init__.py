"""Writes files so that a crash leaves none incomplete, and reports damaged ones on reading."""

from keras_devae.files.places import check_folder, check_new, check_writable, is_there
from keras_devae.files.reading import archive_damage, file_hash, read_json, read_table
from keras_devae.files.writing import (
    DiskFullError,
    flush_to_disk,
    leftovers,
    remove_temporary,
    replacing,
    write_json,
    write_table,
    write_text,
)

__all__ = [
    "DiskFullError",
    "archive_damage",
    "check_folder",
    "check_new",
    "check_writable",
    "file_hash",
    "flush_to_disk",
    "is_there",
    "leftovers",
    "read_json",
    "read_table",
    "remove_temporary",
    "replacing",
    "write_json",
    "write_table",
    "write_text",
]
