"""A conditional generative adversarial network of its own, for tables and small arrays.

Hinge loss with spectral normalisation (Miyato et al. 2018), the class put in by projection (Miyato & Koyama 2018),
an average of the generator's weights (Yazici et al. 2019), categories by Gumbel-softmax as in CTGAN (Xu et al. 2019).
"""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from roadworthy.errors import UserError
from roadworthy.subject import Column
from roadworthy.training.arrays import ArrayShape
from roadworthy.training.codings import ArrayCoding, TableCoding
from roadworthy.training.jobs import Examples, Job
from roadworthy.training.running import reproducible, threads
from roadworthy.training.semi_supervised import joined

NOISE = 64
BATCH = 64
FEWEST_STEPS, MOST_STEPS, STEPS_A_ROW = 400, 1500, 8
TEMPERATURE = 0.2
LARGEST = 3 * 32 * 32  # values of an array
KNOWN = 4096  # vectors that ranks are taken among


def with_synthetic_rows(job: Job) -> Examples:
    """Return the training rows of a job and `recipe.synthetic` times as many made by a generator fitted to them.

    The targets of the new rows are drawn from those of the training rows. As a sham, the new rows are
    copies of training rows drawn with replacement.
    """
    training, recipe = job.examples, job.recipe
    rng = np.random.default_rng(recipe.seed)
    count = round(recipe.synthetic * len(training.target))
    drawn = rng.integers(len(training.target), size=count)
    if count == 0 or recipe.sham:
        return joined(training, training.inputs[drawn], training.target[drawn])
    generator = ConditionalGenerator.fit(
        training.inputs,
        training.target,
        columns=job.columns,
        seed=recipe.seed,
        device=job.device,
    )
    target = training.target[drawn]
    return joined(training, generator.sample(target, rng), target)


@dataclass(frozen=True, eq=False)
class ConditionalGenerator:
    """Makes rows of given classes (or target numbers) that look like those it was fitted to.

    Parameters
    ----------
    module : nn.Module
        Vectors from noise and condition.
    coding : TableCoding or ArrayCoding
    condition : Condition
    known : (m, width) ndarray
        Vectors from this generator, their conditions drawn from the real ones; empty for arrays.
    """

    module: nn.Module
    coding: TableCoding | ArrayCoding
    condition: "Condition"
    known: np.ndarray

    @staticmethod
    def fit(
        inputs: np.ndarray,
        target: np.ndarray,
        *,
        columns: tuple[Column, ...] = (),
        seed: int = 0,
        steps: int | None = None,
        device: str = "cpu",
    ) -> "ConditionalGenerator":
        """Fit a generator to rows.

        Parameters
        ----------
        inputs : (n, ...) ndarray
        target : (n,) ndarray
            int64 class codes, or float64 numbers.
        columns : tuple of Column
            Of a table; empty for arrays.
        seed : int
        steps : int, optional
            Of the generator, each after one of the critic. None: 8 for each row, within 400 to 1,500.
        device : str

        Raises
        ------
        UserError
            Where an array has more than 3 x 32 x 32 values, or there are fewer than 2 rows.
        """
        _refuse(inputs)
        if steps is None:
            steps = min(max(STEPS_A_ROW * len(inputs), FEWEST_STEPS), MOST_STEPS)
        rng = np.random.default_rng(seed)
        condition = Condition.of(target)
        with reproducible(seed, device):
            if columns:
                coding = TableCoding.of(inputs, columns)
                real = coding.encode(inputs, rng)
                head: nn.Module = _Cells(len(coding.numbers), coding.sizes)
                image = None
            else:
                coding = ArrayCoding.of(inputs)
                real = coding.encode(inputs)
                head = nn.Tanh()
                image = _image(inputs.shape[1:])
            width, c = real.shape[1], condition.width
            module = _generator(c, width, head, image).to(device)
            critic = _Critic(c, width, image).to(device)
            conditions = torch.from_numpy(condition(target)).to(device)
            with threads(module, real):
                average = _played(
                    module, critic, torch.from_numpy(real).to(device), conditions, steps
                )
            count = KNOWN if columns else 0
            some = conditions[torch.randint(len(conditions), (count,), device=device)]
            known = _vectors(average, some, torch.randn(count, NOISE).to(device))
        return ConditionalGenerator(average, coding, condition, known)

    def sample(self, target: np.ndarray, rng: Generator) -> np.ndarray:
        """Return a row for each target: (n, ...), of the dtype and within the ranges of the real ones."""
        device = str(next(self.module.parameters()).device)
        noise = rng.standard_normal((len(target), NOISE)).astype(np.float32)
        conditions = torch.from_numpy(self.condition(target)).to(device)
        with reproducible(int(rng.integers(2**31)), device):
            vectors = _vectors(self.module, conditions, torch.from_numpy(noise).to(device))
        if isinstance(self.coding, TableCoding):
            return self.coding.decode(vectors, self.known)
        return self.coding.decode(vectors, rng)


@dataclass(frozen=True, eq=False)
class Condition:
    """What a row is asked to be: its class as a one-hot vector, or its target number in normal scores."""

    classes: np.ndarray | None
    numbers: np.ndarray

    @staticmethod
    def of(target: np.ndarray) -> "Condition":
        """Fit to the target of the real rows."""
        if target.dtype.kind == "f":
            return Condition(None, np.sort(target))
        return Condition(np.unique(target), np.empty(0))

    @property
    def width(self) -> int:
        """Length of the vector."""
        return 2 if self.classes is None else len(self.classes)

    def __call__(self, target: np.ndarray) -> np.ndarray:
        """Return (n, width) float32."""
        if self.classes is not None:
            return (target[:, None] == self.classes).astype(np.float32)
        from scipy.special import ndtri

        shares = np.interp(target, self.numbers, np.linspace(0.01, 0.99, len(self.numbers)))
        return np.stack([ndtri(shares), np.ones(len(target))], axis=1).astype(np.float32)


class _Cells(nn.Module):
    """The last layer for tables: numbers as they are, blocks by Gumbel-softmax."""

    def __init__(self, numbers: int, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.numbers, self.sizes = numbers, sizes

    def forward(self, vectors: Tensor) -> Tensor:
        numbers, *blocks = vectors.split([self.numbers, *self.sizes], dim=1)
        drawn = [functional.gumbel_softmax(block, tau=TEMPERATURE) for block in blocks]
        return torch.cat([numbers, *drawn], dim=1)


class _Unflattened(nn.Module):
    """Vectors (n, width) as channels-first images, or back to vectors in the order of the array."""

    def __init__(self, shape: ArrayShape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, vectors: Tensor) -> Tensor:
        (height, width), channels = self.shape.pixels, self.shape.channels
        if self.shape.has_channels_last:
            return vectors.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        return vectors.reshape(-1, channels, height, width)


class _Flattened(nn.Module):
    def __init__(self, shape: ArrayShape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, images: Tensor) -> Tensor:
        height, width = self.shape.pixels
        images = images[:, :, :height, :width]
        return (images.permute(0, 2, 3, 1) if self.shape.has_channels_last else images).flatten(1)


class _Critic(nn.Module):
    """How real a vector looks for its condition."""

    def __init__(self, conditions: int, width: int, image: ArrayShape | None) -> None:
        super().__init__()
        if image is None:
            self.body = nn.Sequential(
                _normed(nn.Linear(width, 256)),
                nn.LeakyReLU(0.2),
                _normed(nn.Linear(256, 256)),
                nn.LeakyReLU(0.2),
            )
        else:
            height, across = ((side + 3) // 4 for side in image.pixels)
            self.body = nn.Sequential(
                _Unflattened(image),
                _normed(nn.Conv2d(image.channels, 32, 3, stride=2, padding=1)),
                nn.LeakyReLU(0.2),
                _normed(nn.Conv2d(32, 64, 3, stride=2, padding=1)),
                nn.LeakyReLU(0.2),
                nn.Flatten(),
                _normed(nn.Linear(64 * height * across, 256)),
                nn.LeakyReLU(0.2),
            )
        self.last = _normed(nn.Linear(256, 1))
        self.projection = _normed(nn.Linear(conditions, 256, bias=False))

    def forward(self, vectors: Tensor, conditions: Tensor) -> Tensor:
        seen = self.body(vectors)
        return self.last(seen)[:, 0] + (seen * self.projection(conditions)).sum(dim=1)


def _generator(
    conditions: int, width: int, head: nn.Module, image: ArrayShape | None
) -> nn.Sequential:
    if image is None:
        return nn.Sequential(
            *_hidden(NOISE + conditions, 256), *_hidden(256, 256), nn.Linear(256, width), head
        )
    height, across = ((side + 3) // 4 for side in image.pixels)
    return nn.Sequential(
        *_hidden(NOISE + conditions, 64 * height * across),
        nn.Unflatten(1, (64, height, across)),
        nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.ConvTranspose2d(32, image.channels, 4, stride=2, padding=1),
        _Flattened(image),
        head,
    )


def _hidden(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()


def _normed(layer: nn.Module) -> nn.Module:
    return spectral_norm(layer)


def _played(
    module: nn.Module, critic: nn.Module, real: Tensor, conditions: Tensor, steps: int
) -> nn.Module:
    """Let both play against each other; return the generator with averaged weights."""
    average = deepcopy(module)
    makers = torch.optim.Adam(module.parameters(), lr=1e-3, betas=(0.0, 0.9), fused=True)
    judges = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.0, 0.9), fused=True)
    size = min(BATCH, max(2, len(real)))

    def made() -> tuple[Tensor, Tensor]:
        asked = conditions[torch.randint(len(real), (size,), device=real.device)]
        noise = torch.randn(size, NOISE, device=real.device)
        return module(torch.cat([noise, asked], dim=1)), asked

    for step in range(steps):
        rows = torch.randint(len(real), (size,), device=real.device)
        with torch.no_grad():
            vectors, asked = made()
        both = critic(torch.cat([real[rows], vectors]), torch.cat([conditions[rows], asked]))
        loss = functional.relu(1 - both[:size]).mean() + functional.relu(1 + both[size:]).mean()
        judges.zero_grad(set_to_none=True)
        loss.backward()
        judges.step()
        critic.requires_grad_(False)
        loss = -critic(*made()).mean()
        makers.zero_grad(set_to_none=True)
        loss.backward()
        makers.step()
        critic.requires_grad_(True)
        kept = min(0.995, (1 + step) / (10 + step))
        with torch.no_grad():
            for old, new in zip(average.parameters(), module.parameters(), strict=True):
                old.lerp_(new, 1 - kept)
    for old, new in zip(average.buffers(), module.buffers(), strict=True):
        old.copy_(new)
    return average.eval()


@torch.no_grad()
def _vectors(module: nn.Module, conditions: Tensor, noise: Tensor) -> np.ndarray:
    return module(torch.cat([noise, conditions], dim=1)).cpu().numpy()


def _image(size: tuple[int, ...]) -> ArrayShape | None:
    """Return the shape of an image large enough to convolve over; None: treated as a vector."""
    shape = ArrayShape(size, 1)
    large = shape.is_image and int(np.prod(size)) > 256
    return shape if large else None


def _refuse(inputs: np.ndarray) -> None:
    if len(inputs) < 2:
        raise UserError(
            f"A generator needs at least 2 rows to learn from; the training split has {len(inputs)}. "
            "Take `synthetic` out of the recipe."
        )
    values = int(np.prod(inputs.shape[1:]))
    if values > LARGEST:
        raise UserError(
            f"The recipe asks for synthetic rows, but a row has {values:,} values "
            f"({' x '.join(map(str, inputs.shape[1:]))}); the generator makes at most {LARGEST:,}. Give smaller "
            "arrays, or take `synthetic` out of the recipe."
        )
