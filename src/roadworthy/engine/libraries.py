"""Which code is the project's or the user's own, and which is an installed library with a version."""

import site
import sys
import sysconfig
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from platform import python_implementation, python_version

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
    folder = next((f for f in _installed() if place.is_relative_to(f)), None)
    if folder is None:
        is_standard = any(place.is_relative_to(f) for f in _standard())
        return PYTHON if is_standard else None
    versions = _versions(top, folder)
    return f"{top} {versions}" if versions else None


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


def _versions(top: str, folder: Path) -> str:
    """Return name and version of the distributions that installed a package; "" where none did.

    Most are called as their package and looked at first. (`metadata.packages_distributions()` says
    the same, for all packages at once and in 70 ms.)
    """
    every = metadata.distributions(path=[str(folder)])
    same = metadata.distributions(path=[str(folder)], name=top)
    for distributions in (same, every):
        found = {f"{d.name} {d.version}" for d in distributions if _provides(d, top)}
        if found:
            return ", ".join(sorted(found))
    return ""


def _provides(distribution: metadata.Distribution, top: str) -> bool:
    listed = distribution.read_text("RECORD") or ""
    return (
        any(f"\n{top}{mark}" in f"\n{listed}" for mark in ("/", ".py,", "."))
        or top in (distribution.read_text("top_level.txt") or "").split()
    )


def resolves_to(module: str, qualified_name: str, candidate: object) -> bool:
    """Whether an object is what its module has under its name: then name and version say it all."""
    found: object = sys.modules.get(module)
    for part in qualified_name.split("."):
        found = getattr(found, part, None)
    return found is candidate
