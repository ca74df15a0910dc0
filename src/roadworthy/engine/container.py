"""One value in one file: safetensors with the structure and a checksum in the header.

The format is that of https://github.com/huggingface/safetensors, written here because its library
takes all arrays as bytes in memory. Layout: 8 bytes little-endian length of the header, the header
as JSON, the data without gaps. The checksum (SHA-256, at a fixed place in the header) is taken over
the whole file with zeros in its own place.
"""

import json
import mmap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

PREFIX = b'{"__metadata__":{"checksum":"'
CHECKSUM = slice(8 + len(PREFIX), 8 + len(PREFIX) + 64)
ZEROS = b"0" * 64
CHUNK = 1 << 20
MAPPED_FROM = 1 << 20  # bytes of a file; smaller ones are read

TYPES = {"|b1": "BOOL", "|u1": "U8", "|i1": "I8", "<f2": "F16", "<f4": "F32", "<f8": "F64"} | {
    f"<{kind}{size}": f"{kind.upper()}{8 * size}" for kind in "iu" for size in (2, 4, 8)
}


class Damaged(Exception):
    """The file is not what was written."""


class Gone(Exception):
    """The file is no longer there: whoever else uses the store has joined or removed it."""


@dataclass(frozen=True)
class Tensor:
    """An array to be written: its form, and its bytes in parts."""

    dtype: str
    shape: tuple[int, ...]
    parts: Iterable[memoryview]

    @property
    def nbytes(self) -> int:
        """Bytes in all."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize


def tensor_of(array: np.ndarray) -> Tensor:
    """Describe an array in memory."""
    return Tensor(array.dtype.str, array.shape, bytes_of(array))


def write(file: BinaryIO, structure: Any, tensors: Sequence[Tensor]) -> None:  # Any: JSON
    """Write a value to an open, empty file."""
    placed = sorted(range(len(tensors)), key=lambda i: -_alignment(tensors[i].dtype))
    header = _header(structure, tensors, placed)
    content = sha256(header)
    file.write(header)
    for index in placed:
        written = 0
        for part in tensors[index].parts:
            content.update(part)
            file.write(part)
            written += part.nbytes
        assert written == tensors[index].nbytes, f"{written} bytes of {tensors[index].nbytes}"
    file.seek(CHECKSUM.start)
    file.write(content.hexdigest().encode())


def _header(structure: Any, tensors: Sequence[Tensor], placed: Sequence[int]) -> bytes:  # Any: JSON
    text = json.dumps(structure, separators=(",", ":"))
    entries: dict[str, object] = {}
    start = 0
    for index in placed:
        tensor = tensors[index]
        end = start + tensor.nbytes
        kind = TYPES.get(tensor.dtype)
        entries[str(index)] = {
            # What safetensors has no type for is kept as bytes; the structure has the true form.
            "dtype": kind or "U8",
            "shape": list(tensor.shape) if kind else [tensor.nbytes],
            "data_offsets": [start, end],
        }
        start = end
    rest = json.dumps(entries, separators=(",", ":"))[1:]
    comma = b"," if entries else b""
    metadata = PREFIX + ZEROS + b'","structure":' + json.dumps(text).encode() + b"}"
    header = metadata + comma + rest.encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header


def _alignment(dtype: str) -> int:
    return np.dtype(dtype).alignment


@dataclass(frozen=True)
class Content:
    """What a file holds: the structure, and the arrays by their number, read-only."""

    structure: Any  # Any: JSON
    arrays: tuple[np.ndarray, ...]


def read(path: Path, *, verify: bool = True) -> Content:
    """Read a file; large arrays are mapped, and copied page by page by whoever writes into them.

    Raises
    ------
    Damaged
        When it is not, byte for byte, what was written. Nothing is allocated on its word.
    OSError
        When it cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(CHECKSUM.stop)
        if len(head) < CHECKSUM.stop or head[8 : CHECKSUM.start] != PREFIX:
            raise Damaged(f"{path}: no header of roadworthy")
        length = int.from_bytes(head[:8], "little")
        if 8 + length > size:
            raise Damaged(f"{path}: a header of {length} bytes in a file of {size}")
        file.seek(0)
        whole = file.read() if size < MAPPED_FROM else None
        if verify and _checksum(file, whole) != head[CHECKSUM]:
            raise Damaged(f"{path}: its checksum differs")
        file.seek(0)
        header = (whole or file.read(8 + length))[8 : 8 + length]
        data = whole or mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    try:
        return _content(json.loads(header), data, 8 + length)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise Damaged(f"{path}: {error}") from error


def _checksum(file: BinaryIO, whole: bytes | None) -> bytes:
    if whole is not None:
        content = sha256(whole[: CHECKSUM.start] + ZEROS + whole[CHECKSUM.stop :])
        return content.hexdigest().encode()
    content = sha256(file.read(CHECKSUM.start) + ZEROS)
    file.seek(CHECKSUM.stop)
    for part in parts_of(file):
        content.update(part)
    return content.hexdigest().encode()


def parts_of(file: BinaryIO) -> Iterator[memoryview]:
    """Yield the rest of a file in parts of 1 MB; each is overwritten by the next."""
    buffer = memoryview(bytearray(CHUNK))
    while filled := file.readinto(buffer):  # pyright: ignore[reportAttributeAccessIssue] - files have it
        yield buffer[:filled]


def data_of(path: Path) -> Iterator[memoryview]:
    """Yield the data of a file, without the header, in parts of 1 MB.

    Raises
    ------
    Gone
        When there is no such file. No OSError, which would blame the file that is being written.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise Gone(path) from error
    with file:
        file.seek(8 + int.from_bytes(file.read(8), "little"))
        yield from parts_of(file)


def bytes_of(array: np.ndarray) -> Iterator[memoryview]:
    """Yield the bytes of an array in memory, in C order."""
    if array.nbytes:
        yield np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _content(header: dict[str, Any], data: bytes | mmap.mmap, start: int) -> Content:  # Any: JSON
    structure = json.loads(header["__metadata__"]["structure"])
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    forms = dict(_forms(structure))
    arrays: list[np.ndarray] = []
    for index in range(len(entries)):
        dtype, shape = forms[index]
        begin, end = entries[str(index)]["data_offsets"]
        if end - begin != prod(shape) * dtype.itemsize or start + end > len(data):
            raise ValueError(f"array {index}: {end - begin} bytes for {dtype} {shape}")
        if end > begin:
            array = np.frombuffer(data, dtype, prod(shape), start + begin).reshape(shape)
        else:
            array = np.empty(shape, dtype)
        arrays.append(array)
        arrays[-1].flags.writeable = False
    return Content(structure, tuple(arrays))


def _forms(structure: Any) -> Iterator[tuple[int, tuple[np.dtype, tuple[int, ...]]]]:  # Any: JSON
    """Yield number, dtype and shape of each array that a structure mentions."""
    stack = [structure]
    while stack:
        part = stack.pop()
        if isinstance(part, list):
            stack.extend(part)
        elif isinstance(part, dict):
            for tag, content in part.items():
                if tag in ("array", "scalar"):
                    index, dtype, shape = content
                    yield index, (np.dtype(dtype), tuple(shape))
                else:
                    stack.append(content)
