"""Rows without a target, given in every form in which rows with one are given."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from torch.utils.data import TensorDataset

from roadworthy.errors import UserError
from roadworthy.subject import Subject, fields_of, subject_from, subject_from_file
from roadworthy.subject.options import DataOptions


def frame(n: int = 60, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "a": rng.normal(size=n),
            "b": rng.choice(["x", "y"], n),
            "sex": rng.choice(["f", "m"], n),
            "label": np.arange(n) % 2,
        }
    )


MORE = pd.DataFrame({"sex": ["m", "f", None], "b": ["y", "z", "x"], "a": [1.5, np.nan, -1.0]})


def subject(unlabelled: object = None, **given: object) -> Subject:
    given = given or {"train": frame(), "test": frame(seed=1)}
    return subject_from(target="label", sensitive="sex", unlabelled=unlabelled, **given)


def test_rows_of_a_table_get_the_columns_and_codes_of_the_others() -> None:
    made = subject(MORE)
    assert [column.name for column in made.columns] == ["a", "b", "sex"]
    split = made.splits["unlabelled"]
    # b: x 0, y 1, and z, which no labelled row has, is missing; sex: f 0, m 1
    np.testing.assert_array_equal(split.inputs, [[1.5, 1, 1], [np.nan, np.nan, 0], [-1, 0, np.nan]])
    assert split.target is None
    np.testing.assert_array_equal(split.attributes["sex"].values, [1, 0, -1])
    assert split.attributes["sex"].names == ("f", "m")
    assert any("holds 'z', which no labelled row has" in note for note in made.notes)
    assert fields_of(made)["unlabelled_labels"].code == "missing_input"


def test_rows_without_a_target_change_nothing_of_the_others() -> None:
    for given in ({"data": frame(300)}, {"train": frame(), "test": frame(seed=1)}):
        plain, more = subject(**given), subject(MORE, **given)
        assert plain.columns == more.columns
        for name, split in plain.splits.items():
            np.testing.assert_array_equal(split.inputs, more.splits[name].inputs)
            np.testing.assert_array_equal(split.target, more.splits[name].target)


def test_tables_in_every_form_and_files_say_the_same(tmp_path: Path) -> None:
    MORE.to_parquet(tmp_path / "more.parquet")
    MORE.to_csv(tmp_path / "more.csv", index=False)
    expected = subject(MORE).splits["unlabelled"].inputs
    forms = (
        pa.Table.from_pandas(MORE),
        dict(MORE),
        tmp_path / "more.parquet",
        tmp_path / "more.csv",
    )
    for form in forms:
        np.testing.assert_array_equal(subject(form).splits["unlabelled"].inputs, expected)
    frame().to_parquet(tmp_path / "all.parquet")
    made = subject(tmp_path / "more.csv", data=tmp_path / "all.parquet")
    np.testing.assert_array_equal(made.splits["unlabelled"].inputs, expected)


def test_a_target_and_other_columns_are_left_out_and_said() -> None:
    made = subject(MORE.assign(label=[0, 1, 7], extra=1))
    np.testing.assert_array_equal(
        made.splits["unlabelled"].inputs, subject(MORE).splits["unlabelled"].inputs
    )
    assert made.task.classes == ("0", "1")
    assert any('the target "label"' in note for note in made.notes)
    assert any("left out: extra" in note for note in made.notes)


def test_columns_that_lack_or_differ_are_named() -> None:
    with pytest.raises(UserError, match=r"no column b, sex; add them\. There are: a"):
        subject(MORE[["a"]])
    with pytest.raises(UserError, match=r'column "a" is category .*, and numeric in the labelled'):
        subject(MORE.assign(a=["q", "r", "s"]))
    with pytest.raises(UserError, match='column "a" holds infinite values in 1 rows'):
        subject(MORE.assign(a=[1, np.inf, 2]))
    with pytest.raises(
        UserError, match="unlabelled is a ndarray, and the rows with a target are a"
    ):
        subject(np.ones((3, 3)))
    with pytest.raises(UserError, match="No data to audit"):
        subject_from(unlabelled=MORE)


def arrays(n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(0).random((n, 1, 4, 4)).astype(np.float32), np.arange(n) % 2


def test_arrays_are_given_alone_or_with_a_target_that_is_not_looked_at(tmp_path: Path) -> None:
    x, y = arrays()
    np.savez(tmp_path / "more.npz", x=x[:5])
    forms = (x[:5], torch.from_numpy(x[:5]), (x[:5], y[:5]), tmp_path / "more.npz")
    data = TensorDataset(torch.from_numpy(x[:5]), torch.from_numpy(y[:5]))
    for form in (*forms, data):
        made = subject_from(train=(x, y), test=(x, y), unlabelled=form)
        np.testing.assert_array_equal(made.splits["unlabelled"].inputs, x[:5])
        assert made.splits["unlabelled"].target is None
        said = any("target of the unlabelled rows" in note for note in made.notes)
        assert said == (form is data or form is forms[2])
    flat = subject_from(train=(x.reshape(40, 16), y), unlabelled=x[:3].reshape(3, 16))
    assert flat.modality == "table"
    assert flat.splits["unlabelled"].inputs.dtype == np.float64


def test_arrays_that_do_not_fit_are_refused() -> None:
    x, y = arrays()
    with pytest.raises(UserError, match="must have one shape"):
        subject_from(train=(x, y), unlabelled=x[:, 0])
    with pytest.raises(UserError, match="inputs of unlabelled hold infinite values"):
        subject_from(train=(x, y), unlabelled=np.full_like(x, np.inf))
    with pytest.raises(
        UserError, match="unlabelled is a table, and the rows with a target are arrays"
    ):
        subject_from(train=(x, y), unlabelled=MORE)
    with pytest.raises(UserError, match=r"more.csv: .* Give those without one as an npz"):
        subject_from(train=(x, y), unlabelled="more.csv")


def test_an_npz_may_hold_them_beside_the_others(tmp_path: Path) -> None:
    x, y = arrays()
    np.savez(tmp_path / "data.npz", x=x, y=y, x_unlabelled=x[:7])
    made = subject_from_file(tmp_path / "data.npz", DataOptions())
    assert made.splits["unlabelled"].n == 7
    np.savez(tmp_path / "more.npz", x_unlabelled=x[:6])
    made = subject_from_file(tmp_path / "data.npz", DataOptions(), tmp_path / "more.npz")
    assert made.splits["unlabelled"].n == 6


def test_who_asks_for_them_is_told_the_option() -> None:
    missing = fields_of(subject())["unlabelled_inputs"]
    assert "--unlabelled FILE, or as subject_from(unlabelled=...)" in missing.reason
