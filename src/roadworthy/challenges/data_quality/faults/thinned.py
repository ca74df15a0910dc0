"""A class that training has seen too little of: a fault of the training rows, not of frozen answers."""

import numpy as np

from roadworthy.challenges.data_quality.faults.rows import kept, target_of
from roadworthy.engine import fault
from roadworthy.errors import NotApplicable
from roadworthy.subject import Subject

FEWEST_LEFT = 3


@fault(breaks="rarest_class_missed", severities=(0.5, 0.8, 0.95), truth=False)
def rarest_class_thinned_out(
    subject: Subject, severity: float, rng: np.random.Generator
) -> Subject:
    """Take this share of the rarest class's rows out of training and validation; test rows stay.

    At least three are left in training. The model is trained again.

    Also alarms: errors_left (the class is missed), calibration_error (it is not expected), classwise_calibration_error (the same), shortfall_to_simple_models (fewer are right), overfitting_gap (test rows are missed).
    """
    if severity == 0.0:
        return subject
    labels = target_of(subject, "train")
    counts = np.bincount(labels)
    rarest = int(np.where(counts > 0, counts, counts.max() + 1).argmin())
    if counts[rarest] <= FEWEST_LEFT:
        raise NotApplicable(f"the rarest class has {counts[rarest]} training rows already")
    for name, fewest in (("train", FEWEST_LEFT), ("validation", 1)):
        if name not in subject.splits:
            continue
        of_class = np.flatnonzero(target_of(subject, name) == rarest)
        count = min(round(severity * len(of_class)), max(len(of_class) - fewest, 0))
        keep = np.ones(subject.splits[name].n, bool)
        keep[rng.choice(of_class, count, replace=False)] = False
        subject = kept(subject, name, keep)
    return subject.retrained()
