"""Where functions are found: by their marks, in built-in rooms, installed plug-ins and files."""

import importlib
import importlib.util
import inspect
import pkgutil
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from roadworthy.engine.isolation import Failure, attempt
from roadworthy.engine.marks import (
    ArtifactMark,
    CheckMark,
    ControlMark,
    FaultMark,
    Mark,
    MitigationMark,
    NaturalMark,
    ShamMark,
    mark_of,
)
from roadworthy.engine.suggestion import suggestion
from roadworthy.errors import UserError

GROUP = "roadworthy.checks"

KINDS: dict[type, str] = {
    ArtifactMark: "artifact",
    CheckMark: "check",
    FaultMark: "fault",
    ControlMark: "control",
    NaturalMark: "natural fault",
    MitigationMark: "mitigation",
    ShamMark: "sham",
}


class PlugInWarning(UserWarning):
    """A plug-in of somebody else could not be loaded; the run goes on without it."""


@dataclass(frozen=True)
class Marked:
    """A marked function, and where it stands."""

    name: str
    function: Callable[..., object]
    mark: Mark
    module: str
    file: str
    line: int

    @property
    def kind(self) -> str:
        """What it is, in words: "artifact", "check", ..."""
        return KINDS[type(self.mark)]

    @property
    def place(self) -> str:
        """File and line, to click on."""
        return f"{self.file}:{self.line}"

    @cached_property
    def parameters(self) -> tuple[inspect.Parameter, ...]:
        """Parameters in order, those of the function behind any decorators."""
        return tuple(inspect.signature(self.function).parameters.values())


@dataclass(frozen=True)
class Registry:
    """Every marked function by name, one mapping per kind; `broken` says which plug-ins failed."""

    artifacts: Mapping[str, Marked]
    checks: Mapping[str, Marked]
    faults: Mapping[str, Marked]
    controls: Mapping[str, Marked]
    natural_faults: Mapping[str, Marked]
    mitigations: Mapping[str, Marked]
    shams: Mapping[str, Marked]
    broken: tuple[str, ...] = ()

    @classmethod
    def discover(cls, plugins: Sequence[str] = ()) -> "Registry":
        """Find what is built in, what is installed, and what `plugins` names.

        Parameters
        ----------
        plugins : sequence of str
            Modules or packages ("mypackage.checks") or files ("checks/mine.py").

        Raises
        ------
        UserError
            When one of `plugins` cannot be loaded, or two functions of a kind share a name.

        Warns
        -----
        PlugInWarning
            When a module of an installed plug-in cannot be loaded.
        """
        modules: dict[str, ModuleType] = {}
        broken: list[str] = []
        for entry in sorted(entry_points(group=GROUP), key=lambda e: (e.name, e.value)):
            for found in _walk(entry.module):
                if isinstance(found, ModuleType):
                    modules[found.__name__] = found
                elif _is_built_in(entry):
                    raise found.error
                else:
                    broken.append(_complaint(entry, found))
        for name in plugins:
            for found in _given(name):
                if isinstance(found, Failure):
                    raise UserError(
                        f"The plug-in {name} could not be loaded: {found.reason}. "
                        f"Mend it, or leave it out.\n{_last_place(found)}"
                    ) from found.error
                modules[found.__name__] = found
        for complaint in broken:
            warnings.warn(complaint, PlugInWarning, stacklevel=2)
        functions = (f for module in modules.values() for f in _marked_in(module))
        return cls._sorted_in(functions, tuple(broken))

    @classmethod
    def of(cls, *sources: ModuleType | Callable[..., object]) -> "Registry":
        """Make a registry of these modules (not walked) and marked functions alone."""
        functions: list[Callable[..., object]] = []
        for source in sources:
            if isinstance(source, ModuleType):
                functions.extend(_marked_in(source))
            else:
                assert mark_of(source) is not None, f"{source} carries no mark"
                functions.append(source)
        return cls._sorted_in(functions)

    @classmethod
    def _sorted_in(
        cls, functions: Iterable[Callable[..., object]], broken: tuple[str, ...] = ()
    ) -> "Registry":
        by_kind: dict[str, dict[str, Marked]] = {kind: {} for kind in KINDS.values()}
        for marked in map(_marked, functions):
            known = by_kind[marked.kind].setdefault(marked.name, marked)
            if known.function is not marked.function:
                raise _same_name(known, marked)
            _refuse_unusable(marked)
        artifacts, checks = by_kind["artifact"], by_kind["check"]
        for name in artifacts.keys() & checks.keys():
            raise _same_name(artifacts[name], checks[name])
        ordered = [dict(sorted(found.items())) for found in by_kind.values()]
        return cls(*ordered, broken=broken)

    @cached_property
    def packages(self) -> frozenset[str]:
        """Top-level packages of all functions: their code is read, not taken by its version."""
        mappings = (self.artifacts, self.checks, self.faults, self.controls)
        found = (*mappings, self.natural_faults, self.mitigations, self.shams)
        return frozenset(m.module.partition(".")[0] for each in found for m in each.values())

    def find(self, name: str) -> Marked:
        """Return the function of that name, whatever its kind.

        Raises
        ------
        UserError
            When there is none, with the nearest name that there is.
        """
        mappings = (self.checks, self.artifacts, self.faults, self.controls)
        every = (*mappings, self.natural_faults, self.mitigations, self.shams)
        for mapping in every:
            if name in mapping:
                return mapping[name]
        names = {n for mapping in every for n in mapping}
        failed = f" Not loaded: {'; '.join(self.broken)}" if self.broken else ""
        raise UserError(
            f'There is no check, artifact, fault, control, mitigation or sham "{name}".'
            f"{suggestion(name, names)} `roadworthy list` shows all.{failed}"
        )


def _walk(name: str) -> Iterator[ModuleType | Failure]:
    """Yield a module and, of a package, all modules in it; one that fails does not stop the rest."""
    loaded = attempt(lambda: importlib.import_module(name))
    if isinstance(loaded, Failure):
        yield loaded
        return
    yield loaded.value
    for inner in pkgutil.iter_modules(getattr(loaded.value, "__path__", ())):
        if inner.name != "__main__":
            yield from _walk(f"{name}.{inner.name}")


def _given(name: str) -> Iterator[ModuleType | Failure]:
    path = Path(name)
    if path.suffix == ".py" or path.is_file():
        yield _from_file(path)
        return
    try:
        is_there = importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        is_there = False
    if not is_there:
        raise UserError(
            f'There is no plug-in "{name}": a module that can be imported, or the path of a Python '
            "file, was expected. Install its package, or give the path of the file."
        )
    yield from _walk(name)


def _from_file(path: Path) -> ModuleType | Failure:
    """Run a file as a module, anew each time it is asked for, so that an edit is always seen."""
    if not path.is_file():
        raise UserError(f"{path}: no such file. Give the path of a Python file with checks.")
    # Two files may have the same name in different folders.
    name = f"{path.stem}_{sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    module = ModuleType(name)
    module.__file__ = str(path.resolve())
    sys.modules[name] = module  # dataclasses look their module up here

    def run() -> ModuleType:
        code = compile(path.read_bytes(), str(path.resolve()), "exec")
        exec(code, module.__dict__)
        return module

    done = attempt(run)
    return done if isinstance(done, Failure) else done.value


def _marked_in(module: ModuleType) -> Iterator[Callable[..., object]]:
    """Yield the marked functions that were written in a module, not those that it imported."""
    for value in vars(module).values():
        if (
            inspect.isfunction(value)
            and mark_of(value) is not None
            and value.__module__ == module.__name__
        ):
            yield value


def _marked(function: Callable[..., object]) -> Marked:
    mark = mark_of(function)
    assert mark is not None
    inner = inspect.unwrap(function)
    code = inner.__code__
    return Marked(
        name=function.__name__,
        function=function,
        mark=mark,
        module=function.__module__,
        file=code.co_filename,
        line=code.co_firstlineno,
    )


def _refuse_unusable(marked: Marked) -> None:
    """Refuse an artifact or a check whose parameters the engine cannot fill."""
    if not isinstance(marked.mark, ArtifactMark | CheckMark):
        return
    for parameter in marked.parameters:
        has_default = parameter.default is not parameter.empty
        is_need = parameter.kind is not parameter.KEYWORD_ONLY
        wrong = None
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            wrong = f"takes {parameter}; needs are named one by one"
        elif not is_need and not has_default:
            wrong = f"has the option {parameter.name} without a default"
        elif is_need and has_default and parameter.default is not None:
            wrong = f"has a default other than None for {parameter.name}, which is a need"
        if wrong is not None:
            raise UserError(
                f"{marked.kind} {marked.name} ({marked.place}) {wrong}. "
                "A need is a parameter without default, or None where it may be missing; an option "
                "is keyword-only with a default."
            )


def _same_name(one: Marked, other: Marked) -> UserError:
    kinds = one.kind if one.kind == other.kind else f"{one.kind} and {other.kind}"
    return UserError(
        f'Two functions have the name "{one.name}" ({kinds}): {one.place} and {other.place}. '
        "Rename one of them."
    )


def _is_built_in(entry: EntryPoint) -> bool:
    return entry.value.partition(".")[0] == "roadworthy"


def _complaint(entry: EntryPoint, failure: Failure) -> str:
    distribution = entry.dist.name if entry.dist is not None else "no distribution"
    return (
        f'The plug-in "{entry.name}" ({distribution}, {entry.value}) could not be loaded in full: '
        f"{failure.reason}. {_last_place(failure)}"
    )


def _last_place(failure: Failure) -> str:
    places = [line.strip() for line in failure.traceback.splitlines() if line.startswith("  File")]
    return places[-1] if places else ""
