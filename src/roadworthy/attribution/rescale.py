"""DeepLift: differences of a network's answers from those at a reference, handed back step by step.

Each step that is not linear hands its difference back by the rescale rule (Shrikumar, Greenside & Kundaje 2017,
section 3.5.1): as multiplier the difference of its outputs over that of its inputs, in place of the slope. Products of
two values that both depend on the input share their difference equally (the Shapley values of two players, as in DeepSHAP,
Lundberg & Lee 2017), largest values as in DeepSHAP. The steps are seen as they are called, so that a module that is called twice, or a
function that is no module, is right by construction; a step for which there is no rule is refused. The reference
is passed once, not once for each row: with it DeepLift costs as much as one gradient.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from roadworthy.attribution.calls import Call, Function, Unlike, copied, depends, without_rule
from roadworthy.attribution.composed import COMPOSED
from roadworthy.attribution.gradients import scores_at
from roadworthy.attribution.method import Attributed, Gap, Reference
from roadworthy.attribution.rules import RULES
from roadworthy.attribution.score import score
from roadworthy.attribution.steps import is_linear
from roadworthy.errors import NotApplicable
from roadworthy.perturbation.attack import Points
from roadworthy.perturbation.model import AttackedModel


@dataclass(frozen=True)
class DeepLift:
    """Differences from the reference handed back by the rescale rule.

    Shrikumar, Greenside & Kundaje 2017, "Learning important features through propagating activation differences".
    """

    name: str = "DeepLift"

    def __call__(self, model: AttackedModel, points: Points, reference: Reference) -> Attributed:
        """See `Method`.

        Raises
        ------
        NotApplicable
            Where the network has a step without a rule.
        """
        if not isinstance(model.module, nn.Module):
            raise NotApplicable(
                "the model is a black box, so what it computes inside cannot be seen"
            )
        lifted = model.exact()
        lifted.reverse = Rescaled(model.module, reference.point)
        here, multipliers, _ = lifted.gradient(points.inputs, points.labels, score)
        return Attributed(
            multipliers * (points.inputs - reference.point),
            Gap(here, scores_at(model, reference.point, points.labels)),
        )


@dataclass(frozen=True, eq=False)
class Rescaled:
    """A network whose way back hands differences from a reference, not slopes.

    Parameters
    ----------
    module : nn.Module
        In evaluation mode, frozen.
    reference : (1, ...) Tensor
    """

    module: nn.Module
    reference: Tensor

    def __call__(self, inputs: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Return the outputs (n, c), and what takes multipliers of these to those of the inputs."""
        try:
            return self._passed(inputs, self.reference)
        except Unlike:  # rows are folded into another dimension somewhere
            pass
        try:
            return self._passed(inputs, self.reference.expand_as(inputs))
        except Unlike:
            raise _other_steps() from None

    def _passed(
        self, inputs: Tensor, reference: Tensor
    ) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        with torch.no_grad(), _Noted() as noted:
            self.module(reference.clone())
        at = inputs.detach().clone().requires_grad_()
        with torch.enable_grad(), _Lifted(noted.calls):
            outputs = self.module(at.clone())  # a step in place must not meet a leaf
        if not outputs.requires_grad:
            raise NotApplicable(
                "the model's outputs have no gradients by its inputs, so differences cannot be handed back; explain it "
                "as a black box, by occlusion or KernelSHAP"
            )

        def pull(slope: Tensor) -> Tensor:
            return torch.autograd.grad(outputs, at, slope)[0]

        return outputs.detach(), pull


class _Watching(TorchFunctionMode):
    """What sees every step, those inside of composed ones too."""

    def __torch_function__(  # the name that torch gives it
        self,
        func: Function,
        types: Sequence[type],
        args: Sequence[Any] = (),  # Any: see `Function`
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # Any: see `Function`
        """Take a step apart where it is a composed one, else go through it."""
        del types
        call = Call.of(func, tuple(args), dict(kwargs or {}))
        if call.kind in COMPOSED:
            with self:
                return COMPOSED[call.kind](*call.args, **call.named)
        return self.step(call)

    def step(self, call: Call) -> Any:  # Any: see `Function`
        """Go through one step."""
        raise NotImplementedError


class _Noted(_Watching):
    """Notes what goes into and comes out of steps that are not linear."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Call, Any]] = []

    def step(self, call: Call) -> Any:  # Any: see `Function`
        """Go through one step, and note it."""
        if call.kind not in RULES:
            return call()
        held = call.held()
        found = call()
        self.calls.append((held, copied(found)))
        return found


class _Lifted(_Watching):
    """Puts multipliers in the place of slopes, beside what was noted at the reference."""

    def __init__(self, noted: list[tuple[Call, Any]]) -> None:
        super().__init__()
        self._noted = iter(noted)

    def step(self, call: Call) -> Any:  # Any: see `Function`
        """Go through one step."""
        if call.kind in RULES:
            return self._ruled(call)
        found = call()
        if _is_led_by_input(found) and not is_linear(call):
            raise without_rule(call.kind)
        return found

    def _ruled(self, call: Call) -> Any:  # Any: see `Function`
        there = next(self._noted, None)
        if there is None or there[0].kind != call.kind:
            raise _other_steps()
        for here, away in zip(call.tensors, there[0].tensors, strict=False):
            if not _stand_beside(here, away):
                raise Unlike
            if not here.requires_grad and here is not away and not bool((here == away).all()):
                raise _cut_off(call.kind)
        if not call.depends:
            return call()
        found = RULES[call.kind](call, *there)
        return call.args[0].copy_(found) if call.is_in_place else found


def _other_steps() -> NotApplicable:
    return NotApplicable(
        "the network takes other steps for these rows than for the reference, so their values cannot be compared; use "
        "integrated gradients"
    )


def _cut_off(kind: str) -> NotApplicable:
    return NotApplicable(
        f"at the step {kind} the network chooses otherwise for these rows than for the reference (a branch, a code that is "
        "looked up, a value cut off from its gradient, or one that is missing), and DeepLift has no rule for that; use occlusion or "
        "KernelSHAP"
    )


def _is_led_by_input(found: Any) -> bool:  # Any: see `Function`
    several = found if isinstance(found, tuple | list) else (found,)
    return any(depends(each) for each in several)


def _stand_beside(here: Tensor, there: Tensor) -> bool:
    """Whether a value at the reference fits beside that of the rows."""
    return here.ndim == there.ndim and all(
        a == b or b == 1 for a, b in zip(here.shape, there.shape, strict=True)
    )
