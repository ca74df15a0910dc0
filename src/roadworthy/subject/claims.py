"""What a file's header claims, held against the size of the file before anything is read."""

import os
import struct
import zipfile
from pathlib import Path
from typing import IO, Any

from roadworthy.errors import UserError

MOST_INFLATION = 1100  # deflate cannot do better than 1032 to 1
BIG = 2**30  # bytes; smaller claims are harmless
ODD_RATIO = 1_000  # of claimed to stored bytes, above which a big claim is not believed


def require_file(path: Path) -> None:
    """Raise where there is no such file or it is empty."""
    if not path.exists():
        raise UserError(f"{path}: no such file or folder. Check the path.")
    if path.is_file() and path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty (0 bytes). Write it again.")


def refuse_false_npy(stream: IO[bytes], stored: int, where: str) -> None:
    """Raise where an npy header promises more bytes than are stored, or Python objects."""
    import math

    from numpy.lib import format as npy

    try:
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(stream)
    except (ValueError, struct.error) as error:
        raise UserError(f"{where}: not a readable npy array ({error}). Save it again.") from None
    if dtype.hasobject:
        raise UserError(
            f"{where}: holds Python objects (a pickle), which would run code when read; it was not "
            "read. Save plain numbers or text: array.astype(float) or array.astype(str)."
        )
    claimed = math.prod(shape) * dtype.itemsize
    if claimed > stored:
        raise UserError(
            f"{where}: the header claims an array of shape {shape}, {claimed:,} bytes, but "
            f"{stored:,} bytes are stored. The file is cut off or forged; write it again."
        )


def refuse_false_npz(path: Path) -> None:
    """Raise where a member of an npz file promises more than it holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                where = f"{path}, array {member.filename.removesuffix('.npy')}"
                if member.file_size > MOST_INFLATION * max(member.compress_size, 1):
                    raise UserError(
                        f"{where}: claims to unpack from {member.compress_size:,} to "
                        f"{member.file_size:,} bytes, which no honest file does. Write it again."
                    )
                if member.filename.endswith(".npy"):
                    with archive.open(member) as stream:
                        refuse_false_npy(stream, member.file_size, where)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise UserError(f"{path}: not a readable npz file ({error}). Save it again.") from None


def refuse_false_safetensors(path: Path) -> None:
    """Raise where the header of a safetensors file is longer than the file."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(8)
    header = int.from_bytes(start, "little")
    if size < 8 or header > size - 8:
        raise UserError(
            f"{path}: the header claims {header:,} bytes in a file of {size:,}; it is cut off, "
            "forged, or no safetensors file. Write it again with safetensors.torch.save_file."
        )


def refuse_false_parquet(metadata: Any, path: Path) -> None:  # Any: pyarrow has no annotations
    """Raise where a Parquet footer promises a table that the file or the memory cannot hold."""
    stored = path.stat().st_size
    claimed = int(metadata.num_rows) * max(int(metadata.num_columns), 1) * 8
    shape = f"{metadata.num_rows:,} rows of {metadata.num_columns} columns"
    if claimed > BIG and claimed > ODD_RATIO * stored:
        raise UserError(
            f"{path}: claims {shape} (about {claimed / 1e9:.1f} GB) in {stored:,} bytes; every row "
            "would be alike. Write the table again without repeated rows."
        )
    memory = memory_of_machine()
    if memory is not None and claimed > memory:
        raise UserError(
            f"{path}: {shape} need about {claimed / 1e9:.1f} GB, and this machine has "
            f"{memory / 1e9:.1f}. Audit a random sample of the rows, or fewer columns."
        )


def memory_of_machine() -> int | None:
    """Return the bytes of memory of this machine, None where that cannot be known."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
