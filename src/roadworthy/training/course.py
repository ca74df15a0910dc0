"""A training under way: what changes from step to step, as one thing that can be laid down and taken up."""

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

from roadworthy.errors import UserError
from roadworthy.subject import Recipe
from roadworthy.training.augmentation import Augmenter
from roadworthy.training.checkpoint import State
from roadworthy.training.regularisation import penalised
from roadworthy.training.running import random_state, set_random_state

if TYPE_CHECKING:
    from torch import Tensor, nn

    from roadworthy.training.adversarial import Adversary
    from roadworthy.training.group_aware import GroupAware


Teacher = Callable[["Tensor"], "Tensor"]


class Best:
    """The best state of a module so far, for how many epochs it has been the best, and what each was judged by."""

    def __init__(self, module: "nn.Module", patience: int | None) -> None:
        self.module = module
        self.patience = patience
        self.loss = inf
        self.epochs_without = 0
        self.judged: list[float | None] = []
        self._keep()

    def see(self, loss: float | None) -> None:
        """Take note of the validation loss of an epoch; without one the last state is the best."""
        self.judged.append(loss)
        if loss is None or loss < self.loss:
            self.loss = inf if loss is None else loss
            self.epochs_without = 0
            self._keep()
        else:
            self.epochs_without += 1

    @property
    def is_over(self) -> bool:
        """Whether training has gone on for long enough without a better epoch."""
        return self.patience is not None and self.epochs_without >= self.patience

    def _keep(self) -> None:
        self.state = {n: v.detach().clone() for n, v in self.module.state_dict().items()}


class Course:
    """How far a training has come.

    Parameters
    ----------
    module : Module
        Prepared.
    recipe : Recipe
    augment : Augmenter
    device : str
    adversary : Adversary, optional
        Who moves the inputs of each batch.
    teacher : callable, optional
        What takes the place of the targets: inputs of a batch to probabilities (n, c).
    groups : GroupAware, optional
        What adds to the loss for the sake of groups; it learns and remembers beside the module, and is not kept.
    """

    def __init__(
        self,
        module: "nn.Module",
        recipe: Recipe,
        augment: Augmenter,
        device: str,
        *,
        adversary: "Adversary | None" = None,
        teacher: Teacher | None = None,
        groups: "GroupAware | None" = None,
    ) -> None:
        import torch

        from roadworthy.training.descent import descent_of

        self.module = module
        self.recipe = recipe
        self.augment = augment
        self.adversary = adversary
        self.teacher = teacher
        self.groups = groups
        self.device = device
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        if not self.parameters:
            raise UserError(
                f"The model ({type(module).__name__}) has nothing to train: no parameter asks for a "
                "gradient. Give a model with parameters, or its predictions."
            )
        if groups is not None:
            self.parameters += list(groups.parameters())
        self.penalised = [parameter for _, parameter in penalised(module)]
        self.optimizer = descent_of(self.parameters, recipe)
        self.best = Best(module, recipe.patience)
        self.epoch = 0
        self.step = 0  # within the epoch
        self.total = torch.zeros((), device=device)  # of the losses of the epoch

    def begin_next_epoch(self) -> None:
        """Count an epoch as done."""
        self.epoch, self.step = self.epoch + 1, 0
        self.total.zero_()

    def state(self) -> State:
        """Return all that the next step depends on, without the recipe and the rows."""
        tensors: dict[str, Tensor] = {"total": self.total}
        tensors |= {f"module/{name}": tensor for name, tensor in self._tensors().items()}
        tensors |= {f"best/{name}": tensor for name, tensor in self.best.state.items()}
        for i, parameter in enumerate(self.parameters):
            for name, value in self.optimizer.state[parameter].items():
                if value is not None:
                    tensors[f"optimizer/{i}/{name}"] = value
        tensors |= {f"random/{name}": each for name, each in random_state(self.device).items()}
        tensors["augmentation"] = self.augment.generator.get_state()
        numbers = {
            "epoch": self.epoch,
            "step": self.step,
            "best_loss": self.best.loss,
            "epochs_without": self.best.epochs_without,
            "judged": self.best.judged,
        }
        return State(tensors, numbers)

    def take_up(self, state: State) -> None:
        """Go on from what `state` returned in a training of the same module, recipe and rows."""
        import torch

        with torch.no_grad():
            for name, tensor in self._tensors().items():
                tensor.copy_(state.tensors[f"module/{name}"])
            self.total.copy_(state.tensors["total"])
        self.best.state = {
            name: state.tensors[f"best/{name}"].to(self.device) for name in self.best.state
        }
        for i, parameter in enumerate(self.parameters):
            prefix = f"optimizer/{i}/"
            self.optimizer.state[parameter] = {
                name.removeprefix(prefix): value.to(self.device)
                for name, value in state.tensors.items()
                if name.startswith(prefix)
            }
        prefix = "random/"
        set_random_state(
            {n.removeprefix(prefix): v for n, v in state.tensors.items() if n.startswith(prefix)},
            self.device,
        )
        self.augment.generator.set_state(state.tensors["augmentation"])
        self.epoch, self.step = state.numbers["epoch"], state.numbers["step"]
        self.best.loss = state.numbers["best_loss"]
        self.best.epochs_without = state.numbers["epochs_without"]
        self.best.judged = state.numbers["judged"]

    def _tensors(self) -> "dict[str, Tensor]":
        """All tensors of the module, also those that its weights leave out."""
        found = {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}
        if self.groups is not None:
            found |= {f"of groups/{name}": value for name, value in self.groups.named_parameters()}
            found |= {f"of groups/{name}": value for name, value in self.groups.named_buffers()}
        return found
