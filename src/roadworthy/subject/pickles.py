"""What a pickle would call if it were loaded, told from its opcodes; nothing is ever loaded here."""

import pickletools
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

Kind = Literal["state_dict", "module", "torchscript", "exported", "pickle", "other"]

ALLOWED = (
    "collections.OrderedDict",
    "collections.defaultdict",
    "builtins.dict",
    "builtins.set",
    "builtins.bytearray",
    "__builtin__.set",
    "__builtin__.bytearray",
    "_codecs.encode",
    "torch.Size",
    "torch.Tensor",
    "torch.device",
    "torch.nn.parameter.Parameter",
    "torch.serialization._get_layout",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_parameter",
    "torch._tensor._rebuild_from_type_v2",
    "numpy.dtype",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.ndarray",
)
LEGACY_PICKLES = 5  # magic number, protocol, system, object, storage keys
MOST_BYTES = 256 * 2**20  # of the pickle inside an archive: names and shapes only


@dataclass(frozen=True)
class Inside:
    """What a file holds, as far as its structure tells.

    Parameters
    ----------
    kind : str
        "state_dict" where nothing but tensors and plain containers would be built.
    calls : tuple of str
        Names of the other classes and functions that loading would call.
    """

    kind: Kind
    calls: tuple[str, ...] = ()


def look_inside(path: Path) -> Inside:
    """Return what a model file holds without loading any of it."""
    if zipfile.is_zipfile(path):
        return _look_into_zip(path)
    with path.open("rb") as stream:
        start = stream.read(2)
        stream.seek(0)
        if start[:1] != b"\x80" or path.suffix.lower() in (".joblib", ".pkl", ".pickle"):
            is_pickle = start[:1] == b"\x80" or path.suffix.lower() in (
                ".pkl",
                ".pickle",
                ".joblib",
            )
            return Inside("pickle" if is_pickle else "other")
        names: list[str] = []
        for _ in range(LEGACY_PICKLES):
            names += names_in(stream) if stream.peek(1) else []
    return _judged(names)


def _look_into_zip(path: Path) -> Inside:
    with zipfile.ZipFile(path) as archive:
        members = {m.filename: m for m in archive.infolist()}
        endings = {name.rpartition("/")[2] for name in members}
        if "serialized_exported_program.json" in endings or any(
            "models/" in name and name.endswith(".json") for name in members
        ):
            return Inside("exported")
        if "constants.pkl" in endings:
            return Inside("torchscript")
        found = next((m for name, m in members.items() if name.endswith("data.pkl")), None)
        if found is None:
            return Inside("other")
        if found.file_size > MOST_BYTES:
            return Inside("pickle", (f"a pickle of {found.file_size:,} bytes",))
        with archive.open(found) as stream:
            return _judged(names_in(stream))


def _judged(names: list[str]) -> Inside:
    others = tuple(dict.fromkeys(name for name in names if not _is_allowed(name)))
    if not others:
        return Inside("state_dict")
    looks_like_module = any("Parameter" in n or "_rebuild" in n or "nn.modules" in n for n in names)
    return Inside("module" if looks_like_module else "pickle", others)


def _is_allowed(name: str) -> bool:
    if name in ALLOWED:
        return True
    module, _, attribute = name.rpartition(".")
    is_torch = module in ("torch", "torch.storage")
    return is_torch and (attribute.endswith("Storage") or attribute in _dtypes())


def _dtypes() -> frozenset[str]:
    floats = ("float16", "float32", "float64", "bfloat16", "half", "float", "double")
    whole = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")
    return frozenset((*floats, *whole, "complex64", "complex128", "long", "int", "short"))


def names_in(stream: IO[bytes]) -> list[str]:
    """Return "module.name" of every global that the next pickle in a stream names.

    A name that is put together at run time counts as "unknown.unknown": it may be anything.
    """
    names: list[str] = []
    texts: list[str] = []  # strings pushed so far, the latest last
    memo: dict[int, str] = {}
    last: str | None = None
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name in ("GLOBAL", "INST"):
                names.append(str(argument).replace(" ", "."))
            elif opcode.name == "STACK_GLOBAL":
                names.append(".".join(texts[-2:]) if len(texts) >= 2 else "unknown.unknown")
            elif opcode.name in ("EXT1", "EXT2", "EXT4"):
                names.append("unknown.unknown")
            last = _follow(opcode.name, argument, texts, memo, last)
    except (ValueError, IndexError, EOFError, UnicodeDecodeError):
        names.append("unknown.unknown")
    return names


def _follow(
    name: str, argument: object, texts: list[str], memo: dict[int, str], last: str | None
) -> str | None:
    """Keep the strings on the stack and in the memo; return the string on top, if one is."""
    if "UNICODE" in name or name in ("STRING", "BINSTRING", "SHORT_BINSTRING"):
        texts.append(str(argument))
        return texts[-1]
    if name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
        place = len(memo) if name == "MEMOIZE" else int(str(argument))
        memo[place] = last if last is not None else "unknown"
        return last
    if name in ("GET", "BINGET", "LONG_BINGET"):
        texts.append(memo.get(int(str(argument)), "unknown"))
        return texts[-1]
    return None
