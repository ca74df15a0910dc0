"""Published decisions that are known to treat groups unequally."""

from pathlib import Path

import numpy as np

from roadworthy.engine import natural_fault
from roadworthy.subject.columns import Attribute, Roles
from roadworthy.subject.natural import Natural
from roadworthy.subject.subject import Split, Subject
from roadworthy.subject.task import Task

FILE = "tab_compas/compas_two_years.parquet"
SOURCE = 'Larson, Mattu, Kirchner & Angwin (2016), ProPublica, "How We Analyzed the COMPAS Recidivism Algorithm"'
COMPARED = ("African-American", "Caucasian")


@natural_fault(breaks="equalized_odds_gap", data=FILE)
def compas_mistakes_by_race(folder: Path) -> Natural:
    """Take "high risk" of COMPAS for the decision, on the two groups that ProPublica compared."""
    return Natural(
        subject=compas(folder),
        verdict=frozenset({"fail"}),
        where="of those who did not reoffend 44.85 % of African-Americans and 23.45 % of Caucasians were called high risk",
        source=SOURCE,
    )


@natural_fault(breaks="calibration_gap", data=FILE)
def compas_deciles_by_race(folder: Path) -> Natural:
    """Read the decile as tenths of a chance: wrong for all, and by nearly as much for both groups."""
    return Natural(
        subject=compas(folder),
        verdict=frozenset({"pass", "inconclusive"}),
        where="of a decile about as many reoffend in either group: COMPAS has predictive parity",
        source="Flores, Bechtel & Lowenkamp (2016), Federal Probation 80(2); Dieterich, Mendoza & Brennan (2016), Northpointe",
    )


def compas(folder: Path, compared: tuple[str, ...] = COMPARED) -> Subject:
    """Return COMPAS's decisions and deciles on the defendants of some races, all of them if none is named."""
    import pyarrow.parquet as pq

    names = ["race", "high_score", "decile_score", "two_year_recid"]
    table = pq.read_table(folder / FILE, columns=names)
    race = np.array(table["race"].to_pylist())
    kept = np.isin(race, compared) if compared else np.ones(len(race), bool)
    groups, codes = np.unique(race[kept], return_inverse=True)
    chance = table["decile_score"].to_numpy().astype(np.float64)[kept] / 10.0
    recorded = {
        "predicted": table["high_score"].to_numpy().astype(np.int64)[kept],
        "probabilities": np.stack([1.0 - chance, chance], axis=1),
    }
    split = Split(
        None,
        table["two_year_recid"].to_numpy().astype(np.int64)[kept],
        {"race": Attribute(codes.astype(np.int64), tuple(str(g) for g in groups))},
        recorded=recorded,
    )
    return Subject(
        name="COMPAS",
        task=Task("binary", ("no", "yes"), 1),
        modality="predictions",
        splits={"test": split},
        roles=Roles(sensitive=("race",)),
        people=True,
    )
