"""The architecture and how it is trained, as values: a network that can be built, a recipe."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Augmentation:
    """A random change of training rows that leaves their target true (mixup and cutmix: mixes it).

    Parameters
    ----------
    kind : str
        Of images and series: "rotation" (degrees at most), "scaling" (share at most, up or down), "flip"
        and "vertical_flip" (share of rows that are mirrored), "shift" (share of each side at most).
        Of any array: "noise" (standard deviations of the training values), "mixup" (alpha, Zhang et al. 2018),
        "cutmix" (alpha, Yun et al. 2019), "gaussian" (standard deviation in the unit of the inputs, Cohen et al. 2019),
        "corruption" (severity at most, 1 to 5: a kind of corruption by chance for each row). Of tables: "mask" (share of cells that take the value of another row),
        "jitter" (standard deviations of each numeric column), "mixup".
    amount : float
        In the unit of the kind; 0 changes nothing.
    """

    kind: Literal[
        "rotation",
        "scaling",
        "flip",
        "vertical_flip",
        "shift",
        "noise",
        "gaussian",
        "corruption",
        "mixup",
        "cutmix",
        "mask",
        "jitter",
    ]
    amount: float


@dataclass(frozen=True)
class Pretraining:
    """Learning from inputs without their targets, before training.

    Parameters
    ----------
    method : {"masked", "contrastive"}
        "masked": fill in what was hidden (for tables and arrays). "contrastive": tell two changed copies
        of one row from other rows (SimCLR, Chen et al. 2020; SCARF for tables, Bahri et al. 2022).
    epochs : int
    """

    method: Literal["masked", "contrastive"]
    epochs: int


@dataclass(frozen=True)
class AdversarialTraining:
    """Learning from inputs that an adversary has moved, at every step against the network as it is then.

    Parameters
    ----------
    method : {"pgd", "trades", "fast", "free"}
        "pgd": the loss at the worst point found (Madry et al. 2018). "trades": the loss at the row itself plus
        `beta` times how far the answer moves (Zhang et al. 2019). "fast": one step from a random start (Wong et
        al. 2020). "free": each batch is gone through `steps` times, weights and inputs moved by the same gradient
        (Shafahi et al. 2019); epochs then take so many steps more.
    eps : float
        How far an input may be moved, in its own unit; 0 changes nothing.
    low, high : float
        Range of the inputs.
    norm : {"linf", "l2"}
    steps : int
        Of the adversary for each batch; "fast" takes one.
    beta : float
        Of "trades".
    random : bool
        As a control: inputs are moved as far, but anywhere.
    """

    method: Literal["pgd", "trades", "fast", "free"]
    eps: float
    low: float
    high: float
    norm: Literal["linf", "l2"] = "linf"
    steps: int = 7
    beta: float = 6.0
    random: bool = False


@dataclass(frozen=True)
class GroupTraining:
    """Learning that looks at which groups each training row belongs to (`row_groups` of its split).

    Groups that have fewer than 20 rows of a class are left out of it. Where validation rows name their groups too, the
    epoch is kept that is best by what is trained for.

    Parameters
    ----------
    method : {"equalized_odds", "group_dro", "adversary"}
        "equalized_odds": the loss has a penalty, the distance between the mean answers to rows of the same class in
        different groups. "group_dro": the loss of whichever group and class fares worst (Sagawa et al. 2020).
        "adversary": a second network learns to tell the group from answer and class, and the first one to keep it
        from that (Zhang, Lemoine & Mitchell 2018; Ganin et al. 2016).
    amount : float
        "equalized_odds", "adversary": times this the penalty is added. "group_dro": share of the loss, up to 1, that is the worst
        case; the rest is the mean over rows. 0 changes nothing.
    """

    method: Literal["equalized_odds", "group_dro", "adversary"]
    amount: float


@dataclass(frozen=True)
class Recipe:
    """How to train a network again. Everything here enters the identity of the trained weights.

    Parameters
    ----------
    epochs : int
        At most; training stops earlier after `patience` epochs without a better validation loss, and the best
        weights are kept. Without patience (None) validation rows are not looked at and the last weights are kept.
    optimizer : {"adamw", "sgd"}
    learning_rate, momentum : float
    weight_decay : float
        L2: decoupled for AdamW (Loshchilov & Hutter 2019), added to the gradient for SGD.
    l1 : float
        Sum of the absolute values of all weights (biases and normalisation left out) times this is added to the loss.
    batch_size : int
    schedule : {"constant", "cosine"}
    label_smoothing : float
    dropout : float or None
        Rate of every dropout layer; where the network has none, one is put before its last linear layer.
        None: as the network is built.
    augmentation : tuple of Augmentation
        Applied to each batch in this order.
    logit_adjustment : float
        Times the logarithm of each class's share of the training rows is added to the logits in the loss
        (Menon et al. 2021, "Long-tail learning via logit adjustment", equation 10); 0: not at all, 1: balanced error.
    clip_norm : float or None
        Largest norm of the gradient of all weights together.
    mixed_precision : bool
        Compute in bfloat16 where that is safe; weights stay float32.
    adversarial : AdversarialTraining or None
        The epoch that is best against the adversary is kept: on validation rows, without them on training rows.
        It notices where "fast" or "free" training has come to fail against more steps.
    distillation : float or None
        Temperature of defensive distillation (Papernot et al. 2016): a network is trained at this temperature, and
        another one on its probabilities; answers are given at temperature 1.
    groups : GroupTraining or None
    pretraining : Pretraining or None
    pseudo_labels : float or None
        Rows without a target are added with the class that the model, trained once without them, gives at least this
        probability (Lee 2013), calibrated on validation rows where there are 20 or more, and it is trained again.
    synthetic : float
        Rows that a conditional generative adversarial network adds, per training row.
    sham : bool
        Go through the motions of the three above with their active part off, as a control of them: pretraining
        on inputs whose columns or pixels are each shuffled over the rows, copies of training rows in place of
        pseudo-labelled and synthetic ones.
    seed : int
        Of initial weights, batch order and everything else random.
    """

    epochs: int = 30
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    l1: float = 0.0
    momentum: float = 0.9
    batch_size: int = 128
    schedule: Literal["constant", "cosine"] = "cosine"
    patience: int | None = 8
    label_smoothing: float = 0.0
    dropout: float | None = None
    augmentation: tuple[Augmentation, ...] = ()
    logit_adjustment: float = 0.0
    clip_norm: float | None = None
    mixed_precision: bool = False
    adversarial: AdversarialTraining | None = None
    distillation: float | None = None
    groups: GroupTraining | None = None
    pretraining: Pretraining | None = None
    pseudo_labels: float | None = None
    synthetic: float = 0.0
    sham: bool = False
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Network:
    """An architecture: a factory of modules that are alike but for their weights.

    `build()` returns a fresh module in training mode. A module may have a method
    `prepare(inputs: Tensor) -> None`, called once before training with the training inputs: there it
    fits scaling and imputation into its buffers, so that preprocessing travels with the weights.

    Parameters
    ----------
    factory : callable
        Takes no argument.
    source : str
        In words, for the report: "module.py:build", "default network for tables".
    """

    factory: "Callable[[], nn.Module]"
    source: str = ""

    def build(self) -> "nn.Module":
        """Return a fresh module."""
        return self.factory()

    def __roadworthy_identity__(self) -> Any:  # Any: whatever the engine can hash
        """Identity of the architecture: what the factory makes, and the weights it starts from.

        The initial weights stand for the rule that draws them, and for those that it loads.
        """
        import torch

        from roadworthy.subject.modules import identity_of_module, weights_of

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = self.build()
        return {"architecture": identity_of_module(module), "starts_from": weights_of(module)}
