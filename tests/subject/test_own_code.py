"""The user's own code: what it raises is told with file and line; our own mistakes are not hidden."""

from pathlib import Path

import numpy as np
import pytest

from roadworthy.errors import UserError
from roadworthy.subject.own_code import own_code
from roadworthy.subject.python_file import load_subject


def test_an_exception_of_a_users_function_is_told_with_its_places() -> None:
    def reads() -> None:
        raise KeyError("y_train")

    with pytest.raises(UserError) as told, own_code("subject.py failed"):
        reads()
    assert str(told.value).startswith("subject.py failed (test_own_code.py, line ")
    assert str(told.value).endswith("in reads): KeyError: 'y_train'. Mend it there.")


def test_our_own_mistakes_in_a_users_function_keep_their_trace() -> None:
    from roadworthy.subject.splitting import hash_of_text

    with pytest.raises(AttributeError), own_code("subject.py failed"):
        hash_of_text(np.zeros(2))  # type: ignore[arg-type]  # stands for a bug of ours


def test_what_is_told_already_is_told_once() -> None:
    with pytest.raises(UserError, match=r"^as it is$"), own_code("subject.py failed"):
        raise UserError("as it is")


def test_a_file_with_a_slip_of_the_pen_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "slip.py").write_text("def subject(:\n    pass\n")
    with pytest.raises(UserError, match=r"slip\.py failed.*SyntaxError: .* in slip\.py, line 1"):
        load_subject(f"{tmp_path / 'slip.py'}")


def test_a_module_that_is_not_installed_is_named(tmp_path: Path) -> None:
    (tmp_path / "needs.py").write_text("import no_such_module_at_all\n")
    with pytest.raises(UserError, match=r"needs\.py, line 1.*no_such_module_at_all"):
        load_subject(f"{tmp_path / 'needs.py'}")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 16 MiB"),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"
        ),
    ],
    ids=["python", "cuda", "cpu"],
)
def test_a_lack_of_memory_is_told_as_one_and_not_as_a_wrong_shape_or_device(
    error: Exception,
) -> None:
    def runs() -> None:
        raise error

    way_out = "Give inputs of the shape that it takes."
    with (
        pytest.raises(UserError, match="Memory does not suffice") as told,
        own_code("it failed", way_out),
    ):
        runs()
    assert way_out not in str(told.value)
    assert "names a device of its own" not in str(told.value)
