"""Writes TFT's analyzer cache in the files that its Beam transforms read and write."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Mapping

import tensorflow as tf

from pipeline.fast.compat import analyzer_cache

_OPTIONS = tf.io.TFRecordOptions("GZIP", compression_level=1)  # sketches are large and hardly get smaller
_PATH_PARTS = 6  # the parts of a pattern that TFX puts into its key


def dataset_key(pattern: str) -> analyzer_cache.DatasetKey:
    """The key of the examples that match a file pattern, as TFX's executor makes it."""
    name = os.path.join(*pattern.split(os.sep)[-_PATH_PARTS:])
    return analyzer_cache.DatasetKey(f"{name}-{hashlib.sha256(pattern.encode()).hexdigest()}")


def write(folder: str, key: analyzer_cache.DatasetKey, entries: Mapping[bytes, list[bytes]], size: int) -> None:
    """Writes the cache of one data set.

    Args:
        folder: the folder of the whole cache.
        key: the data set's key.
        entries: encoded accumulators by cache key.
        size: the number of bytes that were read.
    """
    folder = os.path.join(folder, key.key)
    tf.io.gfile.makedirs(folder)
    for index, records in enumerate(entries.values()):
        with tf.io.TFRecordWriter(os.path.join(folder, f"{index}-00000-of-00001.gz"), _OPTIONS) as file:
            for record in records:
                file.write(record)
    with tf.io.TFRecordWriter(os.path.join(folder, "METADATA-00000-of-00001")) as file:
        file.write(analyzer_cache.DatasetCacheMetadata(size).encode())
    manifest = {entry: index for index, entry in enumerate(entries)}
    with tf.io.gfile.GFile(os.path.join(folder, "MANIFEST"), "wb") as file:
        file.write(pickle.dumps(manifest, protocol=0))
