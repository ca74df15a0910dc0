"""What a user says about a data set: roles of columns, split, positive class, proof share."""

from dataclasses import dataclass, field
from typing import Literal

from roadworthy.subject.columns import Roles
from roadworthy.subject.reading import Reading


@dataclass(frozen=True)
class DataOptions:
    """How a data set becomes a subject.

    Parameters
    ----------
    roles : Roles
        By the names of the columns.
    split : str, optional
        Column that holds train, validation or test. None: a column called "split" that holds these
        words is used; without one the rows are divided here.
    positive : str, optional
        Name of the class whose detection matters.
    task : {"classification", "binary", "multiclass", "regression"}, optional
        None: seen from the target's values.
    proof : float, optional
        Share of test rows to seal; None: .2 where there are 1,000 test rows or more, else 0.
    input_range : (float, float), optional
        Least and greatest value that an element of an array may have; None: 0 to 1 for a folder of images,
        0 to 255 for arrays of bytes, else not known.
    reading : Reading
        How files of data are to be read.
    people : bool, optional
        Whether rows are persons; None: where there is a sensitive attribute or an entity.
    model_is_trained : bool
        A trained model comes with the data: rows that are not marked as training rows are then
        test rows, and no column may be left out of the inputs without being told.
    """

    roles: Roles = field(default_factory=Roles)
    split: str | None = None
    positive: str | None = None
    task: Literal["classification", "binary", "multiclass", "regression"] | None = None
    proof: float | None = None
    people: bool | None = None
    model_is_trained: bool = False
    input_range: tuple[float, float] | None = None
    reading: Reading = field(default_factory=Reading)
