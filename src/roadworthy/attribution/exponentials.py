"""How softmax and its kin hand a difference back: through exponential, sum, and inverse or logarithm, each by its own rule."""

import torch
from torch import Tensor

from roadworthy.attribution.calls import Call, without_rule
from roadworthy.attribution.handing import handed, only_first


def softmax(call: Call, there: Call, out: Tensor, *, logarithm: bool) -> Tensor:
    """Exponential, sum, inverse or logarithm, and product, each by its own rule; in float64, past one common shift."""
    del out
    given = only_first(call)
    dim = _dimension(call)
    here, away = given.detach().double(), there.args[0].double()
    e, e_away, rate = _exponentials(here, away, dim)
    s, s_away = e.sum(dim, keepdim=True), e_away.sum(dim, keepdim=True)
    if logarithm:
        of_sum = _logarithms_rate(s, s_away)
        value = here.log_softmax(dim)

        def back(came: Tensor) -> Tensor:
            g = came.double()
            return (g - g.sum(dim, keepdim=True) * of_sum * rate).to(came.dtype)
    else:
        value = e / s
        inverse = (1 / s + 1 / s_away) / 2

        def back(came: Tensor) -> Tensor:
            g = came.double()
            common = (g * (e + e_away) / 2).sum(dim, keepdim=True) / (s * s_away)
            return (rate * (g * inverse - common)).to(came.dtype)

    return handed(given, value.to(given.dtype), back)


def logsumexp(call: Call, there: Call, out: Tensor) -> Tensor:
    """Exponential, sum and logarithm, each by its own rule."""
    del out
    given = only_first(call)
    dim = _dimension(call)
    keeps = bool(call.named.get("keepdim", call.args[2] if len(call.args) > 2 else False))
    here, away = given.detach().double(), there.args[0].double()
    e, e_away, rate = _exponentials(here, away, dim)
    share = rate * _logarithms_rate(e.sum(dim, keepdim=True), e_away.sum(dim, keepdim=True))
    value = here.logsumexp(dim, keepdim=keeps)

    def back(came: Tensor) -> Tensor:
        g = came.double() if keeps else came.double().unsqueeze(dim)
        return (g * share).to(came.dtype)

    return handed(given, value.to(given.dtype), back)


def _exponentials(here: Tensor, away: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return exponentials here and at the reference, and the rate between them, past a shift that both share."""
    shift = torch.maximum(here.amax(dim, keepdim=True), away.amax(dim, keepdim=True))
    e, e_away = (here - shift).exp(), (away - shift).exp()
    off = torch.where(here == away, 0.0, here - away)  # both minus infinity, where a mask says so
    rate = torch.where(off.abs() < 1e-6, (e + e_away) / 2, (e - e_away) / off)
    return e, e_away, rate


def _logarithms_rate(s: Tensor, s_away: Tensor) -> Tensor:
    off = s - s_away
    near = off.abs() < 1e-6 * s
    return torch.where(near, 2 / (s + s_away), (s.log() - s_away.log()) / off)


def _dimension(call: Call) -> int:
    dim = call.named.get("dim", call.args[1] if len(call.args) > 1 else None)
    if isinstance(dim, tuple | list) and len(dim) == 1:
        dim = dim[0]
    if not isinstance(dim, int):
        raise without_rule(f"{call.kind} without one dimension")
    return dim
