"""Writing what a user keeps: to a temporary file, then renamed, so that nothing is half-written."""

import io
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from roadworthy.errors import UserError


def write(path: Path, content: bytes) -> None:
    """Put `content` in place of the file at `path`, all of it or nothing.

    Raises
    ------
    UserError
        When the folder cannot be made or written, or the disk is full.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise UserError(
            f"{path}: could not be written ({error.strerror or error}). "
            "Nothing was left half-written. Make room or choose another folder with --out."
        ) from error


def parquet_bytes(columns: Mapping[str, np.ndarray]) -> bytes:
    """Return a Parquet file of these columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), buffer)
    return buffer.getvalue()
