"""One network trained by one recipe."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roadworthy.errors import UserError
from roadworthy.subject import Network, Recipe
from roadworthy.training.jobs import Diverged, Examples
from roadworthy.training.loop import train

QUICK = Recipe(epochs=5, batch_size=16, learning_rate=1e-2, patience=None)


def blobs(n: int, seed: int = 0, noise: float = 1.0) -> Examples:
    """Two classes one unit apart in four of eight directions."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    inputs = rng.normal(0, noise, (n, 8))
    inputs[:, :4] += labels[:, None]
    return Examples(inputs, labels)


def dense() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))


def linear(outputs: int = 2) -> Callable[[], nn.Module]:
    return lambda: nn.Linear(8, outputs)


def test_the_same_seed_gives_bit_equal_weights_and_another_seed_others() -> None:
    network, rows = Network(lambda: nn.Sequential(dense(), nn.Dropout(0.5))), blobs(50)
    first, again = (
        train(network, QUICK, rows, blobs(20, 1)),
        train(network, QUICK, rows, blobs(20, 1)),
    )
    assert first.keys() == again.keys() == dense_keys()
    assert all((first[name] == again[name]).all() for name in first)
    other = train(network, replace(QUICK, seed=1), rows)
    assert (first["0.0.weight"] != other["0.0.weight"]).any()


def dense_keys() -> set[str]:
    return {f"0.{name}" for name in dense().state_dict()}


def test_training_leaves_random_state_threads_and_inputs_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    before, rows = torch.get_num_threads(), blobs(50)
    copy = rows.inputs.copy()
    rows.inputs.flags.writeable = rows.target.flags.writeable = False
    train(Network(dense), QUICK, rows)
    assert (torch.rand(3) == expected).all()
    assert torch.get_num_threads() == before
    assert (rows.inputs == copy).all()


def test_one_step_of_sgd_by_hand() -> None:
    class One(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(0.5))

        def forward(self, inputs: Tensor) -> Tensor:
            return inputs[:, 0] * self.weight

    # loss = mean(((w x - y) / sd(y))^2), y = -1, 1 with sd sqrt(2): slope = mean(2 x (w x - y)) / 2
    # x = 1, 3: (2 * 1 * 1.5 + 2 * 3 * .5) / 2 / 2 = 1.5; w = .5 - .1 * 1.5
    recipe = Recipe(epochs=1, optimizer="sgd", learning_rate=0.1, weight_decay=0.0, patience=None)
    rows = Examples(np.array([[1.0], [3.0]]), np.array([-1.0, 1.0]))
    assert train(Network(One), recipe, rows)["weight"] == pytest.approx(0.35)


def test_the_best_epoch_by_validation_loss_is_kept_and_training_stops_after_it() -> None:
    # Few rows, pure noise, many weights: the validation loss soon grows.
    rng = np.random.default_rng(0)
    rows, held_out = (Examples(rng.normal(size=(40, 8)), rng.integers(0, 2, 40)) for _ in "ab")
    losses: list[float | None] = []
    recipe = Recipe(epochs=50, learning_rate=0.05, batch_size=8, patience=3, weight_decay=0)
    weights = train(
        Network(dense), recipe, rows, held_out, progress=lambda epoch, of, loss: losses.append(loss)
    )
    best = int(np.argmin(np.array(losses, float)))
    assert len(losses) == best + 1 + 3 < 50
    module = dense().eval()
    module.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    logits = module(torch.tensor(held_out.inputs, dtype=torch.float32))
    loss = nn.functional.cross_entropy(logits.detach(), torch.tensor(held_out.target))
    assert float(loss) == pytest.approx(losses[best], rel=1e-5)


def test_without_validation_rows_the_last_epoch_is_kept_and_none_is_skipped() -> None:
    seen: list[tuple[int, int, float | None]] = []
    recipe = replace(QUICK, patience=1)
    kept = train(Network(dense), recipe, blobs(40), progress=lambda *told: seen.append(told))
    assert seen == [(epoch, 5, None) for epoch in range(1, 6)]
    empty = Examples(np.empty((0, 8)), np.empty(0, np.int64))
    again = train(Network(dense), recipe, blobs(40), empty)
    assert all((kept[name] == again[name]).all() for name in kept)


@pytest.mark.parametrize("n", [2, 10, 17, 33])
def test_no_batch_has_a_single_row(n: int) -> None:
    sizes: list[int] = []

    class Watching(nn.Linear):
        def forward(self, inputs: Tensor) -> Tensor:
            if self.training:
                sizes.append(len(inputs))
            return super().forward(inputs)

    train(Network(lambda: Watching(8, 2)), QUICK, blobs(n))
    assert min(sizes) >= 2
    assert sum(sizes) == 5 * n


def test_the_learning_rate_falls_as_a_half_cosine() -> None:
    # A constant gradient of 1 under plain SGD: the weight is minus the sum of the rates, 0.1 * 4 / 2
    # for a half cosine over 4 steps at (1 + cos(pi * k / 4)) / 2 = 1, .854, .5, .146: sum 2.5.
    class Slope(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(()))

        def forward(self, inputs: Tensor) -> Tensor:
            return self.weight.expand(len(inputs), 1, 1).expand(-1, 1, 2) * torch.tensor(
                [0.0, 1e-3]
            )

    recipe = Recipe(
        epochs=4, optimizer="sgd", momentum=0.0, learning_rate=0.1, weight_decay=0.0, patience=None
    )
    rows = Examples(np.zeros((4, 1)), np.zeros(4, np.int64))
    cosine = train(Network(Slope), recipe, rows)["weight"]
    constant = train(Network(Slope), replace(recipe, schedule="constant"), rows)["weight"]
    assert cosine / constant == pytest.approx(2.5 / 4, rel=1e-3)


def test_single_logit_two_logits_and_members_learn_the_same_thing() -> None:
    class Members(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(8, 6)

        def forward(self, inputs: Tensor) -> Tensor:
            outputs = self.inner(inputs).unflatten(1, (3, 2))
            return outputs if self.training else outputs.mean(dim=1)

    rows, test = blobs(400, noise=0.7), blobs(400, 1, noise=0.7)
    x = test.inputs.astype(np.float32)
    recipe = replace(QUICK, epochs=20)
    one = train(Network(linear(1)), recipe, rows)
    two = train(Network(linear(2)), recipe, rows)
    many = train(Network(Members), recipe, rows)
    single = (x @ one["weight"].T + one["bias"])[:, 0]
    double = x @ (two["weight"][1] - two["weight"][0]) + two["bias"][1] - two["bias"][0]
    mean = (x @ many["inner.weight"].T + many["inner.bias"]).reshape(-1, 3, 2).mean(axis=1)
    for log_odds in (single, double, mean[:, 1] - mean[:, 0]):
        assert ((log_odds > 0) == test.target).mean() > 0.9


@pytest.mark.parametrize("last", [nn.Softmax(dim=1), nn.Sigmoid()])
def test_a_module_that_ends_in_probabilities_is_trained_as_one(last: nn.Module) -> None:
    outputs = 2 if isinstance(last, nn.Softmax) else 1
    rows = blobs(400, noise=0.7)
    recipe = replace(QUICK, epochs=40)
    network = Network(lambda: nn.Sequential(nn.BatchNorm1d(8), nn.Linear(8, outputs), last))
    module = network.build().eval()
    weights = train(network, recipe, rows)
    module.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    found = module(torch.tensor(rows.inputs, dtype=torch.float32)).detach().numpy()[:, -1]
    # Squashed probabilities taken for logits would never leave .27 to .73.
    assert np.where(rows.target == 1, found, 1 - found).mean() > 0.85


def test_numbers_far_from_zero_are_learned_in_their_own_unit() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(200, 8))
    rows = Examples(inputs, 1e4 + 500 * inputs[:, 0])

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(8, 1)
            self.register_buffer("mean", torch.zeros(()))
            self.register_buffer("scale", torch.ones(()))

        def prepare_target(self, target: Tensor) -> None:
            self.mean.copy_(target.mean())
            self.scale.copy_(target.std())

        def forward(self, inputs: Tensor) -> Tensor:
            return self.inner(inputs) * self.scale + self.mean

    weights = train(Network(Scaled), replace(QUICK, epochs=40), rows)
    assert weights["mean"] == pytest.approx(rows.target.mean(), rel=1e-6)
    found = inputs @ weights["inner.weight"][0] * weights["scale"] + weights["mean"]
    assert np.abs(found - rows.target).mean() < 25


def test_prepare_is_called_once_with_the_training_rows_and_lies_in_the_weights() -> None:
    calls: list[int] = []

    class Prepared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(8, 2)
            self.register_buffer("mean", torch.zeros(8))

        def prepare(self, inputs: Tensor) -> None:
            calls.append(len(inputs))
            self.mean.copy_(inputs.mean(dim=0))

        def forward(self, inputs: Tensor) -> Tensor:
            return self.inner(inputs - self.mean)

    rows = blobs(50)
    weights = train(Network(Prepared), QUICK, rows, blobs(20, 1))
    assert calls == [50]
    assert weights["mean"] == pytest.approx(rows.inputs.mean(axis=0), abs=1e-6)


def test_label_smoothing_pulls_probabilities_from_certainty() -> None:
    rows = Examples(np.ones((64, 8)), np.ones(64, np.int64))
    recipe = replace(QUICK, epochs=200, learning_rate=0.05)
    weights = train(Network(linear()), replace(recipe, label_smoothing=0.2), rows)
    logits = weights["weight"].sum(axis=1) + weights["bias"]
    # the optimum puts 1 - .2 + .2 / 2 = .9 on the label
    assert 1 / (1 + np.exp(logits[0] - logits[1])) == pytest.approx(0.9, abs=0.01)


def test_a_diverging_loss_is_told_with_epoch_and_learning_rate() -> None:
    recipe = Recipe(optimizer="sgd", learning_rate=1e30, batch_size=8, patience=None)
    with pytest.raises(UserError, match=r"epoch \d+ of 30: the loss is .* rate 1e\+30"):
        train(Network(linear(1)), recipe, Examples(np.ones((40, 8)), np.arange(40.0)))
    rows = blobs(20)
    rows.inputs[3, 2] = np.nan
    with pytest.raises(UserError, match="hold 1 missing values: fill them inside"):
        train(Network(dense), QUICK, rows)


def test_labels_rows_and_outputs_that_cannot_be_trained_on_are_refused() -> None:
    with pytest.raises(UserError, match=r"outputs for 2 classes, .* run from 0 to 7"):
        train(Network(linear()), QUICK, Examples(np.ones((8, 8)), np.arange(8)))
    with pytest.raises(UserError, match="at least 2 rows, but the training split has 1"):
        train(Network(linear()), QUICK, blobs(1))
    with pytest.raises(UserError, match=r"\(Linear\) failed on a batch of shape \(10, 5\)"):
        train(Network(linear()), QUICK, Examples(np.ones((10, 5)), np.zeros(10, np.int64)))
    with pytest.raises(UserError, match="nothing to train"):
        train(Network(nn.Flatten), QUICK, blobs(10))


def logistic(inputs: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    logits = inputs @ weights["weight"].T + weights["bias"]
    return logits.argmax(axis=1)


def test_l1_drives_the_weights_that_tell_nothing_to_zero_and_no_bias() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(400, 8))
    rows = Examples(inputs, (inputs[:, 0] + rng.normal(0, 0.3, 400) > -1).astype(np.int64))
    recipe = Recipe(
        epochs=60, batch_size=400, learning_rate=0.5, optimizer="sgd", weight_decay=0, patience=None
    )
    free = train(Network(linear()), recipe, rows)
    held = train(Network(linear()), replace(recipe, l1=0.05), rows)
    # Where L1 is at its optimum, a weight is 0 unless the slope of the loss is as steep as the penalty.
    assert np.abs(held["weight"][:, 1:]).max() < 0.02 < np.abs(free["weight"][:, 1:]).max()
    assert np.abs(held["weight"][:, 0]).min() > 0.3
    crushed = train(Network(linear()), replace(recipe, l1=1.0, learning_rate=0.02), rows)
    assert np.abs(crushed["weight"]).max() < 0.03
    assert np.abs(crushed["bias"]).max() > 0.1


@pytest.mark.parametrize("norm", [0.01, 1e6])
def test_clipping_is_that_of_torch(norm: float) -> None:
    rows = blobs(30)
    recipe = Recipe(
        epochs=1, batch_size=30, optimizer="sgd", momentum=0, learning_rate=1.0, weight_decay=0
    )
    found = train(Network(linear()), replace(recipe, clip_norm=norm), rows)
    torch.manual_seed(0)
    module = nn.Linear(8, 2)
    inputs = torch.tensor(rows.inputs, dtype=torch.float32)
    nn.functional.cross_entropy(module(inputs), torch.tensor(rows.target)).backward()
    torch.nn.utils.clip_grad_norm_(module.parameters(), norm)
    expected = module.weight - module.weight.grad
    assert found["weight"] == pytest.approx(expected.detach().numpy(), abs=1e-6)


def test_weights_of_rows_are_as_good_as_copies_of_rows() -> None:
    rows, counts = blobs(40), np.random.default_rng(1).integers(0, 4, 40)
    copies = np.repeat(np.arange(40), counts)
    recipe = Recipe(epochs=8, batch_size=10_000, optimizer="sgd", learning_rate=0.3, patience=None)
    weighed = Examples(rows.inputs, rows.target, counts * 17.0)
    found = train(Network(linear()), recipe, weighed)
    expected = train(Network(linear()), recipe, rows.take(copies))
    assert found["weight"] == pytest.approx(expected["weight"], abs=1e-5)
    numbers = Examples(rows.inputs, rows.inputs[:, 0] * 2 + 1, np.ones(40))
    plain = replace(numbers, row_weights=None)
    again = train(Network(linear(1)), recipe, plain)["weight"]
    assert train(Network(linear(1)), recipe, numbers)["weight"] == pytest.approx(again, abs=1e-6)


def test_logit_adjustment_finds_a_rare_class_more_often() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random(2000) < 0.05).astype(np.int64)
    inputs = rng.normal(size=(2000, 8)) + labels[:, None] * 0.7
    rows = Examples(inputs, labels)
    recipe = replace(QUICK, epochs=20, batch_size=200, learning_rate=0.05)
    plain = logistic(inputs, train(Network(linear()), recipe, rows))
    adjusted = logistic(
        inputs, train(Network(linear()), replace(recipe, logit_adjustment=1.0), rows, rows)
    )
    rare = labels == 1
    assert adjusted[rare].mean() > plain[rare].mean() + 0.2
    # Balanced error: both classes are found alike.
    assert adjusted[rare].mean() == pytest.approx(1 - adjusted[~rare].mean(), abs=0.1)
    numbers = Examples(inputs, inputs[:, 0])
    with pytest.raises(UserError, match=r"logit adjustment \(1\), but the target is a number"):
        train(Network(linear(1)), replace(recipe, logit_adjustment=1.0), numbers)


def test_the_dropout_of_the_recipe_acts_in_training_and_fits_the_architecture() -> None:
    shares: list[float] = []

    class Watching(nn.Linear):
        def forward(self, inputs: Tensor) -> Tensor:
            if self.training:
                shares.append(float((inputs == 0).float().mean()))
            return super().forward(inputs)

    rows = Examples(np.ones((600, 8)), np.zeros(600, np.int64))
    weights = train(Network(lambda: Watching(8, 2)), replace(QUICK, dropout=0.4), rows)
    assert np.mean(shares) == pytest.approx(0.4, abs=0.02)
    assert weights.keys() == {"weight", "bias"}


def test_mixed_precision_computes_in_bfloat16_and_learns_as_well() -> None:
    kinds: set[torch.dtype] = set()

    class Watching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = dense()

        def forward(self, inputs: Tensor) -> Tensor:
            outputs = self.inner(inputs)
            if self.training:
                kinds.add(outputs.dtype)
            return outputs

    rows, recipe = blobs(300), replace(QUICK, mixed_precision=True)
    found = train(Network(Watching), recipe, rows, blobs(100, 1))
    assert kinds == {torch.bfloat16}
    assert {value.dtype for value in found.values()} == {np.dtype("float32"), np.dtype("int64")}
    expected = train(Network(Watching), replace(recipe, mixed_precision=False), rows, blobs(100, 1))
    assert found["inner.0.weight"] == pytest.approx(expected["inner.0.weight"], abs=0.05)


def test_divergence_names_the_settings_that_may_be_to_blame() -> None:
    recipe = Recipe(optimizer="sgd", learning_rate=1e30, batch_size=8, l1=0.5, mixed_precision=True)
    rows = Examples(np.ones((40, 8)), np.arange(40.0))
    with pytest.raises(Diverged, match=r"clip_norm .*lower its l1 of 0.5, .*mixed_precision to"):
        train(Network(linear(1)), recipe, rows)
