"""Which row belongs to which split: as marked, or drawn; and which test rows are sealed as proof."""

from dataclasses import dataclass

import numpy as np

from roadworthy.subject.problems import Problems, listed, rows_named
from roadworthy.subject.splitting import Units, units_by_content, units_by_time
from roadworthy.subject.table import ReadColumn

LEAST_FOR_PROOF = 1000
PROOF_SHARE = 0.2

SPELLINGS = {
    "train": "train",
    "training": "train",
    "fit": "train",
    "learn": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "holdout": "test",
    "eval": "test",
    "production": "production",
    "prod": "production",
}


@dataclass(frozen=True, eq=False)
class Division:
    """The split of each row, as an array of names: (n,) str; and how it came about."""

    names: np.ndarray
    notes: tuple[str, ...] = ()

    def rows(self, name: str) -> np.ndarray:
        """Return the positions of the rows of this split."""
        return np.flatnonzero(self.names == name)


@dataclass(frozen=True, eq=False)
class Rows:
    """What dividing looks at.

    Parameters
    ----------
    keys : (n,) uint64 ndarray
        Hash of the content, or of the entity where there is one: equal keys stay together.
    target : (n,) ndarray or None
    is_class : bool
    times : (n,) float64 ndarray or None
    by_entity : bool
        Whether the keys are entities.
    """

    keys: np.ndarray
    target: np.ndarray | None
    is_class: bool
    times: np.ndarray | None = None
    by_entity: bool = False

    def units(self, salt: str, among: np.ndarray) -> Units:
        """Return the units of the rows `among`, in time order where there are times."""
        keys = self.keys[among]
        if self.times is not None and salt != "proof":
            return units_by_time(self.times[among], keys if self.by_entity else None)
        target = None if self.target is None else self.target[among]
        return units_by_content(keys, target, is_class=self.is_class, salt=salt)


def marked(column: ReadColumn, problems: Problems) -> np.ndarray | None:
    """Return the split names that a column gives, or None with the reason added to `problems`."""
    if column.kind != "category":
        problems.add(
            f'the split column "{column.name}" is {column.kind}, not words; '
            f"write {listed(sorted(set(SPELLINGS.values())))} into it"
        )
        return None
    unknown = [c for c in column.categories if c.strip().lower() not in SPELLINGS]
    if unknown:
        problems.add(
            f'the split column "{column.name}" holds {listed([repr(c) for c in unknown], 5)}, which '
            "is no split; use train, validation, test or production"
        )
        return None
    if column.is_missing.any():
        rows = np.flatnonzero(column.is_missing)
        problems.add(
            f'the split column "{column.name}" is empty in {len(rows)} rows ({rows_named(rows)}); '
            "fill in train, validation or test"
        )
        return None
    names = np.array([SPELLINGS[c.strip().lower()] for c in column.categories])
    return names[column.values]


def names_splits(column: ReadColumn) -> bool:
    """Whether a column called "split" holds nothing but names of splits, test or train among them."""
    spelled = [c.strip().lower() for c in column.categories]
    meant = {SPELLINGS.get(c, "") for c in spelled}
    return column.kind == "category" and "" not in meant and bool(meant & {"train", "test"})


def completed(names: np.ndarray, rows: Rows, *, model_is_trained: bool) -> Division:
    """Return the marked division with the splits that an audit needs and nobody marked."""
    present = set(np.unique(names))
    if "test" not in present and model_is_trained:
        if "validation" in present:
            return Division(
                np.where(names == "validation", "test", names),
                ("no test rows are marked; validation rows are taken in their place",),
            )
        return Division(names, ("no test rows are marked, and training rows cannot stand in",))
    notes: list[str] = []
    names = names.astype("<U10")
    for wanted in ("test", "validation"):
        if wanted in present or "train" not in present or model_is_trained:
            continue
        among = np.flatnonzero(names == "train")
        part = rows.units(wanted, among).divided([0.8, 0.2])
        names[among[part == 1]] = wanted
        notes.append(
            f"no {wanted} rows are marked: {int((part == 1).sum())} of {len(among)} training rows "
            f"were set aside for {wanted} ({_how(rows)})"
        )
    return Division(names, tuple(notes))


def drawn(rows: Rows, *, model_is_trained: bool) -> Division:
    """Return a division of unmarked rows: 60 % train, 20 % validation, 20 % test."""
    n = len(rows.keys)
    if model_is_trained:
        return Division(
            np.full(n, "test", "<U10"),
            (
                "no split is marked: all rows are taken as test rows that the trained model has "
                "never seen; mark training rows in a column and name it with --split COLUMN",
            ),
        )
    if rows.times is not None:
        order, shares = ("train", "validation", "test"), (0.6, 0.2, 0.2)
    else:
        order, shares = ("train", "test", "validation"), (0.6, 0.2, 0.2)
    part = rows.units("split", np.arange(n)).divided(shares)
    names = np.array(order, "<U10")[part]
    counts = ", ".join(f"{int((names == s).sum())} {s}" for s in ("train", "validation", "test"))
    return Division(names, (f"no split is marked: rows were divided into {counts} ({_how(rows)})",))


def _how(rows: Rows) -> str:
    together = "entities kept together" if rows.by_entity else "equal rows kept together"
    if rows.times is not None:
        return "in order of time" + (f", {together}" if rows.by_entity else "")
    kind = "class" if rows.is_class else "tenths of the target"
    return f"by hash of content, stratified by {kind}, {together}"


def sealed(division: Division, rows: Rows, share: float | None) -> Division:
    """Return the division with a share of the test rows named `proof`."""
    test = division.rows("test")
    if share is None:
        if 0 < len(test) < LEAST_FOR_PROOF:
            note = (
                f"no proof rows were sealed: {len(test)} test rows are fewer than {LEAST_FOR_PROOF}"
            )
            return Division(division.names, (*division.notes, note))
        share = PROOF_SHARE
    if share <= 0 or len(test) == 0:
        return division
    part = rows.units("proof", test).divided([1 - share, share])
    names = division.names.copy()
    names[test[part == 1]] = "proof"
    note = f"{int((part == 1).sum())} of {len(test)} test rows are sealed as proof: no audit reads them"
    return Division(names, (*division.notes, note))
