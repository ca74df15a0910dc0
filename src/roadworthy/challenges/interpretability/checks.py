"""Checks of attributions: whether they sum to what they explain, depend on what was learned, and stay when nothing changes."""

from collections.abc import Mapping

import numpy as np

from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import (
    AtLeast,
    AtMost,
    Axis,
    Example,
    Examples,
    Histogram,
    HistogramSeries,
    Matrix,
    Measurement,
    doubted,
)
from roadworthy.statistics import crossed_mean, mean, percent, rate

OFF = 0.05  # share of the difference of scores by which a sum may be off
LIKE_NO_MODEL = 0.95  # rank correlation with the distance from the reference alone, on average
SHOWN = 5
UNIT = "rank correlation"
SILENT = "have the same attribution everywhere in most rows"


@check(
    challenge="interpretability",
    requires=AtMost(
        0.05, "house default: one explanation in twenty may miss its sum; no law names a number"
    ),
    least=100,
)
def incomplete_attributions(
    test_attribution_incompleteness: np.ndarray,
    attribution_method: str,
    test_explained_rows: np.ndarray,
) -> Measurement:
    """Share of explanations whose parts do not add up to what they explain.

    Integrated gradients, DeepLift and Shapley values promise that the attributions of a row sum to its score less that of the
    reference (completeness, Sundararajan, Taly & Yan 2017, section 3). A row misses it where it is off by more than 5 % of that
    difference. Methods without such a promise are not judged.

    Unit: share of explained rows.
    Qualified at: severity 0.1 of `sums_that_are_missed`, n = 400; passes from 600 rows where 2.5 % miss.
    Next: take more steps, or a method whose sums are exact for this model (DeepLift, where it has a rule for each step). Where it is not decided though there are more rows, explain more of them (`--set explained_rows.most=1000`).
    """
    if np.isnan(test_attribution_incompleteness).all():
        raise NotApplicable(
            f"{attribution_method.replace('_', ' ')} promises no sum, so none can be missed"
        )
    missed = np.where(
        np.isfinite(test_attribution_incompleteness), test_attribution_incompleteness, np.inf
    )
    worst = np.argsort(-missed, kind="stable")[:SHOWN]
    return rate(
        int(np.sum(missed > OFF)),
        len(missed),
        unit="share of explained rows",
        details=_sums_told(missed),
        evidence=(
            Examples(
                "Explanations that are furthest from their sum",
                tuple(
                    Example(
                        "test",
                        int(test_explained_rows[i]),
                        f"off by {percent(float(missed[i]))} of the difference"
                        if np.isfinite(missed[i])
                        else "its sum is no number",
                        round(float(missed[i]), 6) if np.isfinite(missed[i]) else None,
                    )
                    for i in worst
                ),
            ),
        ),
    )


@check(
    challenge="interpretability",
    requires=AtMost(
        0.2,
        "house default: explanations of a network that has forgotten everything may be this alike; no law names a number",
    ),
    least=100,
)
def attribution_sanity(test_sanity_correlations: np.ndarray) -> Measurement:
    """How alike explanations stay when the network forgets all that it learned.

    The weights of each tensor are put into another order, and the same answers of the same rows are explained again (Adebayo et al.
    2018, "Sanity checks for saliency maps"). An explanation of what was learned cannot stay: its rank correlation
    with the new one is near 0. Signed, and over values that differ from the reference's: where half of an image is background,
    attributions there are 0 for any model, and their sizes then correlate by .9 for methods that are right. Beside it stands how
    well the sizes follow from the distance to the reference alone, which needs no model. Interval: t over rows and networks.

    Unit: rank correlation.
    Qualified at: severity 0.4 of `answers_that_weights_do_not_decide`, n = 100.
    Next: do not trust this method here; explain with one that follows the weights, and look at the picture with that in mind. Where it is not decided though there are more rows, explain more of them (`--set explained_rows.most=1000`).
    """
    found = test_sanity_correlations
    alike, telling = _of_telling_networks(found[:, :-1])
    rows = np.isfinite(alike).all(axis=1)
    if rows.sum() < 2:
        raise NotApplicable(_without_rows(alike))
    of_distance = found[rows, -1]
    without = float(np.nanmean(of_distance)) if np.isfinite(of_distance).any() else 0.0
    silent = len(telling) - int(telling.sum())
    measured = crossed_mean(
        alike[rows].T,
        unit=UNIT,
        details=f"Sizes of attributions follow the distance from the reference, which takes no model, by {without:.2f}."
        + (f" Without {silent} of {len(telling)} networks that {SILENT}." if silent else ""),
        evidence=(
            _histogram("Likeness to explanations of networks with scrambled weights", alike[rows]),
        ),
    )
    return doubted(measured, _doubts(without))


@check(
    challenge="interpretability",
    requires=AtLeast(
        0.7,
        "house default: the order of importance must survive noise that nobody sees; no law names a number",
    ),
    least=100,
)
def attribution_stability(
    test_stability_correlations: np.ndarray, test_explained_rows: np.ndarray
) -> Measurement:
    """How alike the explanation stays when the input changes a little and the answer does not.

    Mean rank correlation of the attributions of a row with those of the same row and noise of 2 % of a standard deviation
    of each value (Alvarez-Melis & Jaakkola 2018, "On the robustness of interpretability methods", as a correlation, so that
    it has no unit). Rows whose answer changes are left out: their explanation should change too; and those that the noise does not
    change, as where all columns are categories. Student's t over rows.

    Unit: rank correlation.
    Qualified at: severity 0.4 of `explanations_that_waver`, n = 100; passes from 100 rows where the mean is 0.85.
    Next: average over noise (SmoothGrad), take integrated gradients in place of a single slope, or train against noise. Where it is not decided though there are more rows, explain more of them (`--set explained_rows.most=1000`).
    """
    found = test_stability_correlations
    kept = np.flatnonzero(np.isfinite(found))
    if len(kept) < 2:
        raise NotApplicable(
            "no two rows keep their answer under a little noise and have three positions whose order could change, or values are "
            "too coarse (categories, whole numbers) for noise that changes them a little"
        )
    least = kept[np.argsort(found[kept], kind="stable")[:SHOWN]]
    return mean(
        found[kept],
        unit=UNIT,
        bounds=(-1.0, 1.0),
        details=f"{len(kept)} of {len(found)} rows change a little and keep their answer; the median correlation is {np.median(found[kept]):.2f}.",
        evidence=(
            _histogram(
                "Likeness to explanations of the same rows with a little noise", found[kept]
            ),
            Examples(
                "Explanations that change most",
                tuple(
                    Example(
                        "test",
                        int(test_explained_rows[i]),
                        f"rank correlation {found[i]:.2f}",
                        round(1 - float(found[i]), 6),
                    )
                    for i in least
                ),
            ),
        ),
    )


@check(challenge="interpretability", least=20)
def attribution_agreement(
    test_rival_attributions: Mapping[str, np.ndarray], attribution_method: str
) -> Measurement:
    """How far other methods of explanation agree with the one that is used.

    Mean rank correlation over rows and over the other methods that fit this model (Krishna et al. 2022, "The disagreement
    problem in explainable machine learning"). Disagreement does not say who is right: faithfulness does. But methods that ask for
    slopes at real rows and methods that ask about rows with parts removed disagree where a model behaves otherwise on rows that
    nobody has: such a model can hide from the latter (Slack et al. 2020, "Fooling LIME and SHAP").

    Unit: rank correlation.
    Qualified at: no fault; it is a note.
    Next: where methods disagree, believe the one that is most faithful, and none about single rows.
    """
    from roadworthy.attribution.library import CONTROL

    names = [name for name in test_rival_attributions if name != CONTROL]
    if attribution_method not in names or len(names) < 2:
        raise NotApplicable("fewer than two methods of explanation fit this model")
    alike = _likeness(test_rival_attributions, names)
    own = names.index(attribution_method)
    others = [alike[own, j] for j in range(len(names)) if j != own]
    of_row = _mean_of_present(np.stack(others))
    kept = of_row[np.isfinite(of_row)]
    if len(kept) < 2:
        raise NotApplicable(
            "no two rows have three positions whose order could differ between methods"
        )
    typical = _mean_of_present(np.moveaxis(alike, 2, 0))
    shown = tuple(name.replace("_", " ") for name in names)
    return mean(
        kept,
        unit=UNIT,
        bounds=(-1.0, 1.0),
        details=f"Explained by {attribution_method.replace('_', ' ')}, compared with {len(names) - 1} other{'s' if len(names) > 2 else ''}.",
        evidence=(
            Matrix(
                title="How far methods agree",
                row=Axis("method"),
                column=Axis("method"),
                rows=shown,
                columns=shown,
                values=tuple(
                    tuple(None if np.isnan(v) else round(float(v), 4) for v in row)
                    for row in typical
                ),
                value=Axis("mean rank correlation"),
            ),
        ),
    )


def _of_telling_networks(alike: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the likeness to networks that explain most rows, (m, t), and which these are, (s,) bool.

    Scrambled weights can leave a network that answers all rows alike. It says nothing, and must not take the rows with it.
    """
    present = np.isfinite(alike)
    possible = int(present.any(axis=1).sum())
    telling = 2 * present.sum(axis=0) >= possible
    if possible >= 2 and telling.sum() < 2:
        raise NotApplicable(
            f"{int(np.sum(~telling))} of {len(telling)} networks with scrambled weights {SILENT}, and two are needed to "
            "compare with"
        )
    return alike[:, telling], telling


def _without_rows(alike: np.ndarray) -> str:
    """Say why fewer than two rows are compared with all networks."""
    present = np.isfinite(alike)
    possible = present.any(axis=1)
    if possible.sum() < 2:
        return "no two rows have three values that differ from the reference's"
    silent = int(np.sum(~present[possible].all(axis=0)))
    return (
        f"{silent} of {alike.shape[1]} networks with scrambled weights have the same attribution everywhere in some rows, "
        f"and no two of {int(possible.sum()):,} rows are left that all of them explain"
    )


def _sums_told(missed: np.ndarray) -> str:
    present = missed[np.isfinite(missed)]
    without = len(missed) - len(present)
    said = (
        f"{without:,} have a sum that is no number, as where a value is missing." if without else ""
    )
    if len(present) == 0:
        return f"Of the rows all {said}"
    middle, most = np.quantile(present, [0.5, 0.95])
    whose = "the others" if without else "the rows"
    told = f"half of {whose} are off by at most {percent(float(middle))}, one in twenty by {percent(float(most))} or more."
    return f"Of {len(missed):,} rows {said[:-1]}; {told}" if without else told[0].upper() + told[1:]


def _likeness(attributions: Mapping[str, np.ndarray], names: list[str]) -> np.ndarray:
    """Return rank correlations of each pair of methods, row by row: (k, k, r); saliency has sizes alone, as has its partner."""
    from roadworthy.attribution.likeness import rank_correlations

    k, rows = len(names), len(next(iter(attributions.values())))
    found = np.ones((k, k, rows))
    for i in range(k):
        for j in range(i):
            one, other = attributions[names[i]], attributions[names[j]]
            if "saliency" in (names[i], names[j]):
                one, other = np.abs(one), np.abs(other)
            found[i, j] = found[j, i] = rank_correlations(one, other)
    return found


def _mean_of_present(values: np.ndarray) -> np.ndarray:
    """Return the mean over the first axis of what is there; NaN where nothing is."""
    present = np.isfinite(values)
    count = present.sum(axis=0)
    total = np.where(present, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _doubts(without: float) -> tuple[str, ...]:
    if without < LIKE_NO_MODEL:
        return ()
    return (
        f"the sizes of attributions follow the distance from the reference by {without:.2f}, so the picture would look much the "
        "same for any model, whatever the signs do",
    )


def _histogram(title: str, values: np.ndarray) -> Histogram:
    edges = np.linspace(-1, 1, 21)
    counts, _ = np.histogram(values, edges)
    return Histogram(
        title=title,
        x=Axis("rank correlation"),
        edges=tuple(round(float(e), 2) for e in edges),
        series=(HistogramSeries("explained rows", tuple(int(c) for c in counts)),),
    )
