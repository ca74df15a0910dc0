"""COMPAS, audited from its recorded scores alone, beside what ProPublica published of the same file.

First the intake is held against the published table (rows, false-positive and false-negative rates
of high scores by race), then the audit's findings are printed with their intervals.

    python benchmarks/compas_predictions.py [FOLDER OF DATA SETS]
"""

import sys
from pathlib import Path

import numpy as np

import roadworthy
from roadworthy.subject import Roles
from roadworthy.subject.options import DataOptions
from roadworthy.subject.predictions import PredictionColumns, subject_from_predictions

# Larson, Mattu, Kirchner & Angwin 2016, "How We Analyzed the COMPAS Recidivism Algorithm".
PUBLISHED = {"African-American": (3696, 0.4485, 0.2799), "Caucasian": (2454, 0.2345, 0.4772)}


def main() -> None:
    """Print both tables."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")
    file = folder / "tab_compas" / "compas_two_years.parquet"
    if not file.is_file():
        sys.exit(f"no COMPAS at {file}")
    roles = Roles(target="two_year_recid", sensitive=("race", "sex"))
    decided = subject_from_predictions(
        file, PredictionColumns(predicted="high_score"), DataOptions(roles)
    ).splits["test"]
    assert decided.target is not None
    race = decided.attributes["race"]
    print(
        f"{'race':<20}{'rows':>7}{'published':>11}{'FPR':>8}{'published':>11}{'FNR':>8}{'published':>11}"
    )
    for name, (rows, fpr, fnr) in PUBLISHED.items():
        own = race.values == race.names.index(name)
        truth, said = decided.target[own], decided.recorded["predicted"][own]
        found = (int(own.sum()), float(said[truth == 0].mean()), float(1 - said[truth == 1].mean()))
        print(
            f"{name:<20}{found[0]:>7}{rows:>11}{found[1]:>8.4f}{fpr:>11.4f}{found[2]:>8.4f}{fnr:>11.4f}"
        )
        assert np.allclose(found, (rows, fpr, fnr), atol=5e-5)
    scored = subject_from_predictions(
        file, PredictionColumns(score="decile_score", predicted="high_score"), DataOptions(roles)
    )
    report = roadworthy.audit(scored, store=None, progress=False)
    print(
        f"\n{'check':<32}{'verdict':<14}{'value':>8}   95 % interval      reason where not measured"
    )
    for finding in report:
        if finding.value is None:
            print(
                f"{finding.check:<32}{finding.verdict:<14}{'':>8}   {'':<18} {finding.reason[:70]}"
            )
        else:
            interval = f"{finding.low:.3f} to {finding.high:.3f}"
            print(f"{finding.check:<32}{finding.verdict:<14}{finding.value:>8.3f}   {interval}")


if __name__ == "__main__":
    main()
