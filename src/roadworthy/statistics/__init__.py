"""How numbers become verdicts: intervals, differences, extremes, nulls, multiplicity, judgement."""

from roadworthy.statistics.auc import auc
from roadworthy.statistics.bootstrap import bootstrap, from_replicates
from roadworthy.statistics.cross_validation import (
    cross_validated_mean,
    crossed_mean,
    difference_of,
    nadeau_bengio,
)
from roadworthy.statistics.differences import (
    newcombe_paired,
    paired_rate_difference,
    rate_difference,
)
from roadworthy.statistics.distributions import GRID, interval_of, limit, quantiles_on, rescaled
from roadworthy.statistics.doubt import judged
from roadworthy.statistics.gaps import largest_gap, largest_of, smallest_of
from roadworthy.statistics.intervals import (
    Interval,
    clopper_pearson,
    exact_newcombe,
    newcombe,
    wilson,
)
from roadworthy.statistics.means import mean, mean_difference, paired_mean_difference
from roadworthy.statistics.multiplicity import benjamini_hochberg, holm, surviving
from roadworthy.statistics.nulls import excess, excess_over_null
from roadworthy.statistics.planning import examples_needed, examples_to_pass
from roadworthy.statistics.rates import fact, measured, precision_at_prevalence, rate
from roadworthy.statistics.ratios import ratio_of_means
from roadworthy.statistics.screening import largest_of_many
from roadworthy.statistics.sequential import confidence_sequence, e_value
from roadworthy.statistics.verdicts import Judgement, judge, p_value
from roadworthy.statistics.wording import percent

__all__ = [
    "GRID",
    "Interval",
    "Judgement",
    "auc",
    "benjamini_hochberg",
    "bootstrap",
    "clopper_pearson",
    "confidence_sequence",
    "cross_validated_mean",
    "crossed_mean",
    "difference_of",
    "e_value",
    "exact_newcombe",
    "examples_needed",
    "examples_to_pass",
    "excess",
    "excess_over_null",
    "fact",
    "from_replicates",
    "holm",
    "interval_of",
    "judge",
    "judged",
    "largest_gap",
    "largest_of",
    "largest_of_many",
    "limit",
    "mean",
    "mean_difference",
    "measured",
    "nadeau_bengio",
    "newcombe",
    "newcombe_paired",
    "p_value",
    "paired_mean_difference",
    "paired_rate_difference",
    "percent",
    "precision_at_prevalence",
    "quantiles_on",
    "rate",
    "rate_difference",
    "ratio_of_means",
    "rescaled",
    "smallest_of",
    "surviving",
    "wilson",
]
