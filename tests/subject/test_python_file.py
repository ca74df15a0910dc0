import pytest

from roadworthy.errors import UserError
from roadworthy.subject import load_subject

CONTENT = """
import numpy as np
from roadworthy.subject import subject_from

def subject():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    return subject_from(data=(x, (x[:, 0] > 0).astype(int)), name="mine")

def other():
    return 3
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "given_subject.py"
    path.write_text(CONTENT)
    monkeypatch.setattr("sys.path", [str(tmp_path), *__import__("sys").path])
    monkeypatch.delitem(__import__("sys").modules, "given_subject", raising=False)
    return path


def test_a_file_a_function_of_it_and_a_module_are_loaded(file) -> None:
    assert load_subject(str(file)).name == "mine"
    assert load_subject(f"{file}:subject").name == "mine"
    assert load_subject("given_subject:subject").name == "mine"
    assert load_subject("digits").name == "digits"


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("{file}:other", "returns a int; a roadworthy Subject was expected"),
        ("{file}:subjct", 'Did you mean "subject"'),
        ("{file}x.py", "no such file"),
        ("digit", 'Did you mean "digits"'),
        ("{folder}", "without a subject.json"),
    ],
)
def test_what_is_no_subject_says_why(file, reference, said) -> None:
    with pytest.raises(UserError) as caught:
        load_subject(reference.format(file=file, folder=file.parent))
    assert said in str(caught.value)
