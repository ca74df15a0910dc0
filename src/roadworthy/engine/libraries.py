"""Which code is the project's or the user's own, and which is an installed library with a version."""

import site
import sys
import sysconfig
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from platform import python_implementation, python_version
from types import ModuleType

PYTHON = f"{python_implementation()} {python_version()}"
"""Stands for the standard library too."""


def library_of(module: str, own: frozenset[str]) -> str | None:
    """Return "name version" of the library that a module belongs to; None for own code.

    Own is what has no version to go by: modules outside of the folders that packages are installed
    in (scripts, notebooks, editable installs), installed files that no distribution lists, and the
    top-level packages named in `own` (a plug-in that was installed again may have changed under the
    same version).
    """
    top = module.partition(".")[0]
    return None if top in own else _library(top)


@cache
def _library(top: str) -> str | None:
    if top in ("__main__", "__mp_main__", "roadworthy"):
        return None
    place = _place_of(top)
    if place is None:
        return PYTHON if top in sys.stdlib_module_names else None
    installed = any(place.is_relative_to(folder) for folder in _installed())
    if not installed:
        is_standard = any(place.is_relative_to(folder) for folder in _standard())
        return PYTHON if is_standard else None
    distribution = _distribution_of(top)
    return None if distribution is None else f"{top} {distribution}"


def _place_of(top: str) -> Path | None:
    """Return the file or folder of a top-level module, without importing it."""
    module = sys.modules.get(top)
    try:
        spec = getattr(module, "__spec__", None) or find_spec(top)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        file = getattr(module, "__file__", None)
        return Path(file).resolve() if file else None
    for place in (spec.origin, *(spec.submodule_search_locations or ())):
        if place not in (None, "built-in", "frozen"):
            return Path(place).resolve()
    return None


@cache
def _standard() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    return tuple({Path(paths[key]).resolve() for key in ("stdlib", "platstdlib")})


def _installed() -> tuple[Path, ...]:
    named = {p for p in sys.path if Path(p).name in ("site-packages", "dist-packages")}
    return tuple(Path(p).resolve() for p in {*named, *_site_folders()})


@cache
def _site_folders() -> frozenset[str]:
    paths = sysconfig.get_paths()
    return frozenset(
        (paths["purelib"], paths["platlib"], *site.getsitepackages(), site.getusersitepackages())
    )


def _distribution_of(top: str) -> str | None:
    """Return "distribution version". Most are called as their package; the rest takes 0.1 s once."""
    try:
        return metadata.version(top)
    except metadata.PackageNotFoundError:
        names = _distributions().get(top)
    return " ".join(sorted(f"{n} {metadata.version(n)}" for n in set(names))) if names else None


@cache
def _distributions() -> "dict[str, list[str]]":
    return dict(metadata.packages_distributions())


def is_python_source(module: str) -> bool:
    """Whether a module is written in Python, so that its objects hide no state in C."""
    loaded: ModuleType | None = sys.modules.get(module)
    file = getattr(loaded, "__file__", None)
    if file is None:
        return module in ("__main__", "builtins")
    return str(file).endswith(".py")


def resolves_to(module: str, qualified_name: str, candidate: object) -> bool:
    """Whether an object is what its module has under its name: then name and version say it all."""
    found: object = sys.modules.get(module)
    for part in qualified_name.split("."):
        found = getattr(found, part, None)
    return found is candidate
