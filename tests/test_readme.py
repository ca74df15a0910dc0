"""The README's own model, followed to the letter."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np

README = Path(__file__).resolve().parent.parent / "README.md"

MY_PROJECT = """
from torch import nn

class Classifier(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
"""


def test_the_subject_of_the_readme_is_audited(tmp_path: Path) -> None:
    (code,) = [
        block
        for block in re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
        if "def subject" in block
    ]
    assert code.count("\n") <= 16, "a dozen lines"
    (tmp_path / "subject.py").write_text(code)
    (tmp_path / "my_project.py").write_text(MY_PROJECT)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 8)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > 0).astype(np.int64)
    np.savez(
        tmp_path / "data.npz", x_train=x[:400], y_train=y[:400], x_test=x[400:], y_test=y[400:]
    )
    done = subprocess.run(
        [sys.executable, "-m", "roadworthy", "audit", "subject.py", "--profile", "quick", "-q"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode in (0, 1, 2), done.stderr
    assert "my classifier" in done.stdout
    assert list(tmp_path.glob("roadworthy-runs/my-classifier-*/report.html"))
