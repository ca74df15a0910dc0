"""A saved subject is the one that was saved; nothing of the user's runs unasked; damage has words."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from roadworthy.engine import key_of
from roadworthy.errors import UserError
from roadworthy.subject import (
    Attribute,
    Augmentation,
    Column,
    DecisionRule,
    Network,
    Predictor,
    Recipe,
    Roles,
    Split,
    Subject,
    Task,
    builtin_subject,
    fields_of,
)
from roadworthy.subject.blueprint import trusted
from roadworthy.subject.capacity import scaled
from roadworthy.subject.modules import network_of, weights_of
from roadworthy.subject.rescaled import rescaled
from roadworthy.subject.saved import (
    asks_for_trust,
    is_saved,
    provenance_of,
    read_subject,
    save_subject,
)
from roadworthy.training.tables import TableNetwork, TableShape

COLUMNS = (Column("age", "numeric"), Column("sex", "category", ("f", "m"), ("?",)))


def with_weights(subject: Subject) -> Subject:
    assert subject.network is not None
    return replace(subject, weights=weights_of(subject.network.build()))


def table() -> Subject:
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(size=20), rng.integers(0, 2, 20)])
    sex = Attribute(rows[:, 1].astype(np.int64), ("f", "m"))
    split = Split(rows, rng.integers(0, 2, 20), {"sex": sex}, row_weights=np.ones(20))
    shape = TableShape((0,), (1,), (2,), 2, levels=(None,))
    assert replace(shape, levels=()) == TableShape.of(COLUMNS, 2)
    network = Network(partial(TableNetwork, shape, width=8), "default, narrow")
    return with_weights(
        Subject(
            "people",
            Task("binary", ("no", "yes"), 1),
            "table",
            {"train": split, "validation": split, "test": split, "proof": split.take(np.arange(5))},
            columns=COLUMNS,
            roles=Roles(target="y", sensitive=("sex",)),
            network=network,
            recipe=Recipe(augmentation=(Augmentation("jitter", 0.1),), dropout=0.3),
            decision_rule=DecisionRule("abstain", 0.7, "a wish"),
            people=True,
            notes=("read as it is",),
        )
    )


def test_what_comes_back_is_what_was_saved(tmp_path: Path) -> None:
    subject = table()
    save_subject(subject, tmp_path / "a", {"from": "people", "mitigation": "dropout 0.3"})
    assert is_saved(tmp_path / "a")
    assert provenance_of(tmp_path / "a")["mitigation"] == "dropout 0.3"
    found = read_subject(tmp_path / "a")
    assert key_of(fields_of(found)) == key_of(fields_of(subject))
    for name in (
        "name",
        "task",
        "modality",
        "columns",
        "roles",
        "recipe",
        "decision_rule",
        "people",
    ):
        assert getattr(found, name) == getattr(subject, name), name
    assert found.notes == ("read as it is", "saved subject: people, dropout 0.3")
    assert (found.splits["proof"].inputs == subject.splits["proof"].inputs).all()  # type: ignore[union-attr]


def test_built_in_narrowed_and_rescaled_architectures_are_written_as_data(tmp_path: Path) -> None:
    digits = builtin_subject("digits")
    assert digits.network is not None
    narrow = scaled(digits.network, 0.5)
    weights = weights_of(narrow.build())
    network, named = rescaled(
        narrow, weights, np.full(10, 0.5), np.zeros(10), kind="logits", said="cooler"
    )
    subject = replace(digits, network=network, weights=named)
    save_subject(subject, tmp_path, {})
    assert key_of(fields_of(read_subject(tmp_path))) == key_of(fields_of(subject))
    assert not asks_for_trust(tmp_path)


def own_factory(folder: Path) -> Subject:
    file = folder / "mine.py"
    file.write_text(
        "from torch import nn\nprint('ran')\n\ndef build():\n    return nn.Linear(2, 2)\n"
    )
    return with_weights(
        replace(table(), network=Network(trusted(f"{file}:build"), f"{file}:build"))
    )


def test_the_users_own_code_runs_only_where_the_user_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subject = own_factory(tmp_path)
    save_subject(subject, tmp_path / "s", {})
    capsys.readouterr()
    with pytest.raises(UserError, match="--trust"):
        read_subject(tmp_path / "s")
    assert asks_for_trust(tmp_path / "s")
    assert capsys.readouterr().out == ""
    found = read_subject(tmp_path / "s", own=trusted)
    assert key_of(fields_of(found)) == key_of(fields_of(subject))
    assert subject.network is not None
    again = read_subject(tmp_path / "s", factory=subject.network.factory)
    assert key_of(fields_of(again)) == key_of(fields_of(subject))


@pytest.mark.parametrize(
    "part",
    [
        {"ours": "os:system"},
        {"ours": "roadworthy.files:write"},
        {"record": "roadworthy.files:write", "fields": {}},
        {"ours": "roadworthy.nothing:here"},
        {"record": "subprocess:Popen", "fields": {"args": "true"}},
        {"surprise": 1},
    ],
)
def test_a_forged_description_runs_nothing(tmp_path: Path, part: dict[str, object]) -> None:
    save_subject(table(), tmp_path, {})
    file = tmp_path / "subject.json"
    description = json.loads(file.read_text())
    description["network"]["factory"] = part
    file.write_text(json.dumps(description))
    with pytest.raises(UserError, match="architecture"):
        read_subject(tmp_path)


def test_what_cannot_be_saved_says_why(tmp_path: Path) -> None:
    live = replace(table(), network=network_of(table().network.build()))  # type: ignore[union-attr]
    with pytest.raises(UserError, match="in memory"):
        save_subject(live, tmp_path / "a", {})
    with pytest.raises(UserError, match="written inside"):
        save_subject(replace(table(), network=Network(lambda: None)), tmp_path / "a", {})  # type: ignore[arg-type,return-value]
    black_box = replace(table(), predictor=Predictor(lambda x: x, "logits", "box"))
    with pytest.raises(UserError, match="black box"):
        save_subject(black_box, tmp_path / "a", {})
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("file", ["subject.json", "weights.safetensors", "data.safetensors"])
def test_missing_and_damaged_files_are_named(tmp_path: Path, file: str) -> None:
    save_subject(table(), tmp_path, {})
    whole = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=file):
        read_subject(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(UserError, match=f"{file}: no such file"):
        read_subject(tmp_path)
