"""Finding functions: built in, installed, in files; what is broken and what clashes."""

import importlib
import sys
from pathlib import Path

import pytest

from roadworthy.engine import PlugInWarning, Registry, artifact, check, fault, suggestion
from roadworthy.errors import UserError

GOOD = '''
from roadworthy.engine import artifact, check, fault

@check(challenge="mine")
def {name}(test_labels):
    """Mine."""
    return 0

def not_marked():
    return 1
'''


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Install packages into a folder: files by path, and an entry point."""
    before = set(sys.modules)

    def install(files: dict[str, str], entry: str, name: str = "their-plugin") -> Path:
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        info = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[roadworthy.checks]\ntheirs = {entry}\n")
        importlib.invalidate_caches()
        return tmp_path

    monkeypatch.syspath_prepend(tmp_path)
    yield install
    for name in set(sys.modules) - before:
        if name.startswith("their"):
            del sys.modules[name]


def test_a_package_that_is_installed_is_found_with_all_its_modules(site):
    site(
        {
            "theirs/__init__.py": "",
            "theirs/deep/__init__.py": "",
            "theirs/deep/checks.py": GOOD.format(name="their_check"),
            "theirs/__main__.py": "raise SystemExit('not to be run')",
        },
        "theirs",
    )
    registry = Registry.discover()
    found = registry.checks["their_check"]
    assert found.module == "theirs.deep.checks"
    assert found.file.endswith("checks.py")
    assert found.line == 4
    assert "theirs" in registry.packages
    assert "not_marked" not in registry.artifacts
    assert registry.broken == ()


def test_the_built_in_rooms_are_found():
    assert "train_doubled" not in Registry.discover().artifacts
    assert {m.module.split(".")[0] for m in Registry.discover().artifacts.values()} == {
        "roadworthy"
    }


def test_what_a_module_imports_is_collected_once_where_it_was_written(site):
    site(
        {
            "theirs_a/__init__.py": "from theirs_a.checks import shared\n",
            "theirs_a/checks.py": GOOD.format(name="shared"),
            "theirs_a/again.py": "from theirs_a.checks import shared as alias\n",
        },
        "theirs_a",
    )
    assert Registry.discover().checks["shared"].module == "theirs_a.checks"


def test_a_broken_module_of_a_plugin_warns_with_name_and_reason_and_the_rest_is_kept(site):
    site(
        {
            "theirs_b/__init__.py": "",
            "theirs_b/bad.py": "import no_such_module_at_all\n",
            "theirs_b/worse.py": "def f(:\n",
            "theirs_b/good.py": GOOD.format(name="survivor"),
        },
        "theirs_b",
    )
    with pytest.warns(PlugInWarning) as caught:
        registry = Registry.discover()
    assert "survivor" in registry.checks
    said = [str(w.message) for w in caught]
    assert len(said) == len(registry.broken) == 2
    assert all('"theirs" (their-plugin, theirs_b)' in s for s in said)
    assert "No module named 'no_such_module_at_all'" in said[0]
    assert "bad.py" in said[0]
    assert "worse.py" in said[1]


def test_a_plugin_that_exits_while_it_is_imported_does_not_end_the_run(site):
    site({"theirs_c.py": "import sys\nsys.exit(3)\n"}, "theirs_c")
    with pytest.warns(PlugInWarning, match="SystemExit"):
        Registry.discover()


def test_a_plugin_may_be_a_module_or_a_file(site, tmp_path: Path):
    site({"theirs_d.py": GOOD.format(name="from_module")}, "theirs_d")
    file = tmp_path / "loose.py"
    file.write_text(GOOD.format(name="from_file"))
    registry = Registry.discover(plugins=["theirs_d", str(file)])
    assert {"from_module", "from_file"} <= set(registry.checks)
    assert registry.checks["from_file"].file == str(file)


def test_a_file_is_read_anew_each_time_it_is_asked_for(tmp_path: Path):
    file = tmp_path / "loose.py"
    for name in ("first", "other"):  # of the same length, within the same second
        file.write_text(GOOD.format(name=name))
        assert name in Registry.discover(plugins=[str(file)]).checks


def test_two_files_of_the_same_name_are_two_plugins(tmp_path: Path):
    files = [tmp_path / folder / "checks.py" for folder in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        file.write_text(GOOD.format(name=f"in_{file.parent.name}"))
    assert {"in_a", "in_b"} <= set(Registry.discover(plugins=[str(f) for f in files]).checks)


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        ("no_such_plugin_at_all", r'no plug-in "no_such_plugin_at_all".*path of a Python file'),
        ("no/such.py", r"no/such\.py: no such file"),
        ("broken.py", r"broken\.py could not be loaded: ZeroDivisionError.*line 2"),
    ],
)
def test_a_plugin_that_was_asked_for_and_fails_is_refused(
    plugin, said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("broken.py").write_text("x = 1\n1 / 0\n")
    with pytest.raises(UserError, match=f"(?s){said}"):
        Registry.discover(plugins=[plugin])


@artifact()
def twin():
    return 1


def other_twin():
    return 2


other_twin.__name__ = "twin"


@pytest.mark.parametrize("mark", [artifact(), check(challenge="x")], ids=["artifact", "check"])
def test_two_functions_of_one_name_are_refused_with_both_places(mark):
    other_twin.__dict__.pop("__roadworthy__", None)
    with pytest.raises(UserError) as caught:
        Registry.of(twin, mark(other_twin))
    for function in (twin, other_twin):
        assert f"{__file__}:{function.__code__.co_firstlineno}" in str(caught.value)


def test_a_fault_may_have_the_name_of_nothing_else_but_its_kind_decides():
    @fault(breaks="twin", severities=(0.1,))
    def twin_fault(subject, severity, rng):
        return subject

    registry = Registry.of(twin, twin_fault)
    assert registry.find("twin_fault").kind == "fault"
    assert registry.find("twin").kind == "artifact"
    with pytest.raises(UserError, match=r'no check.*"twin_falt".*Did you mean "twin_fault"'):
        registry.find("twin_falt")


def _starred(*rows):
    return 0


def _keywords(**rows):
    return 0


def _option_without_default(rows, *, bins):
    return 0


def _need_with_default(rows=3):
    return 0


def _positional_only(rows, /):
    return 0


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (_starred, r"takes \*rows"),
        (_keywords, r"takes \*\*rows"),
        (_option_without_default, "option bins without a default"),
        (_need_with_default, "default other than None for rows"),
        (_positional_only, "takes rows"),
    ],
)
def test_parameters_that_nothing_can_fill_are_refused_with_the_place(function, said):
    function.__dict__.pop("__roadworthy__", None)
    with pytest.raises(UserError, match=said) as caught:
        Registry.of(artifact()(function))
    assert f"{__file__}:{function.__code__.co_firstlineno}" in str(caught.value)


def test_a_suggestion_is_made_only_where_a_name_is_near():
    assert suggestion("recal", ["recall", "precision"]) == ' Did you mean "recall"?'
    assert suggestion("zzz", ["recall", "precision"]) == ""
