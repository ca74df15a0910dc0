"""The subjects that come with the package, for a first run offline: declared, not trained."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject.columns import Roles
from roadworthy.subject.divide import Division, Rows
from roadworthy.subject.model import Network, Recipe
from roadworthy.subject.problems import nearest
from roadworthy.subject.splitting import hashes_of_arrays
from roadworthy.subject.subject import Split, Subject
from roadworthy.subject.task import Task

if TYPE_CHECKING:
    from torch import nn

Bunch = Mapping[str, Any]  # Any: arrays and names; scikit-learn's annotations leave it open


def builtin_subject(name: str) -> Subject:
    """Return the built-in subject of this name."""
    if name not in BUILTIN:
        raise UserError(f'No built-in subject "{name}".{nearest(name, BUILTIN)}')
    return BUILTIN[name]()


def digits() -> Subject:
    """Return 1,797 handwritten digits of 8 by 8 pixels (UCI, Alpaydin & Kaynak 1998) and a small CNN."""
    from sklearn.datasets import load_digits

    data = cast(Bunch, load_digits())
    inputs = (data["images"][:, None] / 16).astype(np.float32)  # (n, 1, 8, 8)
    labels = data["target"].astype(np.int64)
    rows = Rows(hashes_of_arrays(inputs), labels, is_class=True)
    part = rows.units("split", np.arange(len(labels))).divided((0.5, 0.25, 0.25))
    names = np.array(["train", "validation", "test"])[part]
    division = Division(names)
    whole = Split(inputs, labels)
    return Subject(
        name="digits",
        task=Task("multiclass", tuple(str(name) for name in data["target_names"])),
        modality="array",
        splits={name: whole.take(division.rows(name)) for name in ("train", "validation", "test")},
        input_range=(0.0, 1.0),
        network=Network(small_conv_net, "a small convolutional network, built in"),
        # A first attempt as many make it: few epochs, and label smoothing, which leaves a network less
        # sure than it is right (Müller, Kornblith & Hinton 2019). An audit must find that.
        recipe=Recipe(epochs=12, learning_rate=2e-3, batch_size=64, label_smoothing=0.1),
        notes=("built in: scikit-learn's load_digits, grey values divided by 16",),
    )


def small_conv_net() -> "nn.Module":
    """Return the untrained network of `digits`."""
    from roadworthy.subject.networks import SmallConvNet

    return SmallConvNet()


def diabetes() -> Subject:
    """Return 442 diabetes patients and the progression of their disease (Efron et al. 2004)."""
    import pyarrow as pa
    from sklearn.datasets import load_diabetes

    from roadworthy.subject.assemble import subject_from_table
    from roadworthy.subject.options import DataOptions
    from roadworthy.subject.table import table_from_arrow

    data = cast(Bunch, load_diabetes(scaled=False))
    columns = dict(zip(data["feature_names"], data["data"].T, strict=True))
    table = table_from_arrow(pa.table({**columns, "progression": data["target"]}), "diabetes")
    options = DataOptions(Roles(target="progression", sensitive=("sex",)), task="regression")
    return subject_from_table(table, options)


BUILTIN: dict[str, Callable[[], Subject]] = {"digits": digits, "diabetes": diabetes}
