"""Networks with a defence built in: what stands before, within or beside the layers of another network."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from roadworthy.subject.model import Network

if TYPE_CHECKING:
    from torch import nn

Cleaning = Literal["rounding", "smoothing", "median"]


def ensemble(network: Network, members: int) -> Network:
    """Return a network of several that are trained side by side and answer by their mean probability.

    They differ in where they start (Lakshminarayanan, Pritzel & Blundell 2017).
    """
    return Network(_Ensemble(network, members), f"{_of(network)}, {members} of them side by side")


def cleaned(network: Network, by: Cleaning, amount: float, low: float, high: float) -> Network:
    """Return the network with inputs that are cleaned first: it is part of what is trained and attacked.

    Parameters
    ----------
    network : Network
    by : {"rounding", "smoothing", "median"}
        "rounding": to `amount` levels between `low` and `high` (Xu, Evans & Qi 2018, "feature squeezing"); gradients go
        through as if nothing were rounded. "smoothing": `amount` is the share of the mean over 3 x 3 neighbours that
        takes the place of an element. "median": the median of that window by the same share.
    amount : float
    low, high : float
        Range of the inputs.
    """
    said = f"{amount:g} levels" if by == "rounding" else f"{by} by {amount:g}"
    return Network(_Cleaned(network, by, amount, low, high), f"{_of(network)}, inputs {said}")


def with_layer_noise(network: Network, amount: float) -> Network:
    """Return the network with noise after every hidden layer while it trains, `amount` times the deviation there.

    After Liu et al. 2018 ("Towards robust neural networks via random self-ensemble"), but in training alone, so that
    answers stay the same from call to call.
    """
    return Network(
        _LayerNoise(network, amount), f"{_of(network)}, noise of {amount:g} in its layers"
    )


def with_layer_smoothing(network: Network, share: float) -> Network:
    """Return the network with the maps after each hidden layer smoothed: `share` of a 3 x 3 mean.

    After Xie et al. 2019 ("Feature denoising", section 3), by a mean filter.
    """
    return Network(
        _LayerSmoothing(network, share), f"{_of(network)}, its layers smoothed by {share:g}"
    )


def _of(network: Network) -> str:
    return network.source or "the network"


@dataclass(frozen=True, eq=False)
class _Ensemble:
    network: Network
    members: int

    def __call__(self) -> "nn.Module":
        from roadworthy.subject.defence_modules import Ensemble

        return Ensemble([self.network.build() for _ in range(self.members)])


@dataclass(frozen=True, eq=False)
class _Cleaned:
    network: Network
    by: Cleaning
    amount: float
    low: float
    high: float

    def __call__(self) -> "nn.Module":
        from roadworthy.subject.defence_modules import Cleaned

        return Cleaned(self.network.build(), self.by, self.amount, self.low, self.high)


@dataclass(frozen=True, eq=False)
class _LayerNoise:
    network: Network
    amount: float

    def __call__(self) -> "nn.Module":
        from roadworthy.subject.defence_modules import noisy

        return noisy(self.network.build(), self.amount)


@dataclass(frozen=True, eq=False)
class _LayerSmoothing:
    network: Network
    share: float

    def __call__(self) -> "nn.Module":
        from roadworthy.subject.defence_modules import smooth

        return smooth(self.network.build(), self.share)
