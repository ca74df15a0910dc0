"""The records that may stand in the store, beside arrays and plain values: nothing else is decoded."""

from roadworthy import results

STORED: tuple[type, ...] = (
    results.Measurement,
    results.DoubtedMeasurement,
    results.ShortMeasurement,
    results.Counts,
    results.TwoCounts,
    results.Estimate,
    results.Quantiles,
    results.Fact,
    results.Axis,
    results.Series,
    results.Curve,
    results.Bars,
    results.Intervals,
    results.Matrix,
    results.Histogram,
    results.HistogramSeries,
    results.Scatter,
    results.Example,
    results.Examples,
    results.Table,
)
