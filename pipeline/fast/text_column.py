"""A column of text with few distinct values, as codes and names."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa

from models.features import NOT_SET


@dataclasses.dataclass(frozen=True)
class TextColumn:
    """Text, one value a row or none.

    Attributes:
        codes: int32 `[rows]`, positions in `names`; -1 where the value is missing.
        names: object (str) `[distinct values]`.
    """

    codes: np.ndarray
    names: np.ndarray

    @classmethod
    def from_arrow(cls, values: pa.ChunkedArray) -> TextColumn:
        """Makes it from dictionary-encoded binary values; null is missing; bytes that are not UTF-8 are replaced."""
        encoded = values.unify_dictionaries().combine_chunks()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
        names = [value.decode("utf-8", "replace") for value in encoded.dictionary.to_pylist()]
        return cls(codes, np.array(names, object))

    def texts(self, missing: str = NOT_SET) -> np.ndarray:
        """The values, object (str) `[rows]`."""
        return np.append(self.names, missing).astype(object)[self.codes]
