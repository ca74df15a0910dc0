"""Checks of what the user is told: an answer, several classes, or none."""

from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Measurement
from roadworthy.statistics import percent, rate

if TYPE_CHECKING:
    from roadworthy.subject import DecisionRule


@check(
    challenge="uncertainty",
    requires=AtMost(
        0.5,
        "house default: what is wrong more often than right helps nobody; the purpose says which accuracy is needed",
    ),
    least=50,
)
def wrong_decisions(
    test_decisions: np.ndarray,
    test_labels: np.ndarray,
    decision_rule: "DecisionRule | None" = None,
) -> Measurement:
    """How often what the user is told is wrong, among the rows that get an answer.

    An answer is one class or a set of classes; it is wrong when the label is not in it. Rows on which
    the model abstains count on neither side (see `unanswered`). Without a rule of abstaining it is the error
    rate. Interval: Clopper-Pearson. Abstaining and sets of classes are set by a rule on the subject.

    Unit: share of answered rows.
    Qualified at: severity 1 of `wrong_where_unsure`, n = 100; passes from 60 rows where a quarter is wrong.
    Next: let the model abstain or answer with sets (`roadworthy fix --only abstention,conformal_sets`), or improve it.
    """
    answered = test_decisions.sum(axis=1) > 0
    n = int(answered.sum())
    if n == 0:
        raise NotApplicable("no test row gets an answer")
    wrong = int(np.sum(~test_decisions[np.arange(len(test_labels)), test_labels] & answered))
    details = f"{wrong} of {n} answered rows are wrong; {percent(1 - n / len(test_labels))} of rows get no answer."
    if decision_rule is not None:
        details += f" The rule: {decision_rule.kind}, threshold {decision_rule.threshold:.3g}"
        details += f", set for {decision_rule.aim}." if decision_rule.aim else "."
    return rate(wrong, n, unit="share of answered rows", details=details)


@check(challenge="uncertainty")
def unanswered(test_decisions: np.ndarray) -> Measurement:
    """How often the user gets no single answer: the model abstains, or names several classes.

    The price of `wrong_decisions` being small. Interval: Clopper-Pearson.

    Unit: share of test rows.
    Qualified at: a description; nothing is required of it.
    Next: nothing by itself; read it beside `wrong_decisions`.
    """
    named = test_decisions.sum(axis=1)
    if len(named) == 0:
        raise NotApplicable("there are no test rows")
    none, several = int(np.sum(named == 0)), int(np.sum(named > 1))
    details = (
        f"{none} of {len(named)} rows get no answer, {several} a set of several classes "
        f"({named[named > 1].mean() if several else 0:.1f} on average)."
    )
    return rate(none + several, len(named), unit="share of test rows", details=details)
