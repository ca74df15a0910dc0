"""Training against an adversary, and on the probabilities of a teacher."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.errors import UserError
from roadworthy.procedures.fix.course import said_of
from roadworthy.subject import AdversarialTraining, Network, Recipe, builtin_subject
from roadworthy.training.adversarial import Adversary, adversary_of
from roadworthy.training.augmentation import Batch, Part
from roadworthy.training.distillation import teacher_of
from roadworthy.training.jobs import Examples, Job
from roadworthy.training.loop import train
from roadworthy.training.objective import cross_entropy, tempered
from roadworthy.training.running import evaluate, load
from roadworthy.training.single import trained

D = 12
EPS = 0.25
PLAN = AdversarialTraining("pgd", EPS, -4.0, 4.0)
RECIPE = Recipe(epochs=15, learning_rate=0.02, batch_size=32, weight_decay=0.0, patience=None)
RNG = np.random.default_rng(0)


def rows(n: int) -> Examples:
    """Two classes: one strong column, the others weak ones that an adversary can turn over."""
    labels = RNG.integers(0, 2, n)
    inputs = RNG.normal(0, 1, (n, D)) * 0.3 + 0.1 * (2 * labels - 1)[:, None]
    inputs[:, 0] = (2 * labels - 1) * 1.0 + RNG.normal(0, 0.3, n)
    return Examples(inputs.clip(-4, 4).astype(np.float32), labels.astype(np.int64))


TRAINING, TEST = rows(400), rows(600)
LINEAR = Network(partial(nn.Linear, D, 2), "linear")


def accuracies(weights: Any, eps: float = EPS) -> tuple[float, float]:
    """Share of right answers, plain and at the exact worst case of a linear network within Linf eps."""
    slope = weights["weight"][1] - weights["weight"][0]
    shift = weights["bias"][1] - weights["bias"][0]
    margin = (TEST.inputs @ slope + shift) * (2 * TEST.target - 1)
    return float((margin > 0).mean()), float((margin > eps * np.abs(slope).sum()).mean())


@pytest.mark.parametrize("method", ["pgd", "trades", "fast", "free"])
def test_a_network_trained_against_an_adversary_withstands_the_worst_case(method: Any) -> None:
    plain = train(LINEAR, RECIPE, TRAINING)
    plan = replace(PLAN, method=method, steps=5)
    hardened = train(LINEAR, replace(RECIPE, adversarial=plan), TRAINING)
    control = train(LINEAR, replace(RECIPE, adversarial=replace(plan, random=True)), TRAINING)
    assert accuracies(hardened)[1] > accuracies(plain)[1] + 0.05
    assert accuracies(hardened)[1] > accuracies(control)[1] + 0.03


def test_the_adversary_finds_the_worst_case_of_a_linear_network() -> None:
    module = LINEAR.build()
    generator = torch.Generator().manual_seed(0)
    inputs = torch.from_numpy(TRAINING.inputs[:50])
    target = torch.from_numpy(TRAINING.target[:50])
    adversary = Adversary(PLAN, generator)
    moved = adversary.watched(module, inputs, lambda out: cross_entropy(out, target, 0.0))
    slope = (module.weight[1] - module.weight[0]).detach().sign()
    worst = (inputs - EPS * (2 * target - 1)[:, None] * slope).clamp(-4, 4)
    torch.testing.assert_close(moved, worst, atol=1e-6, rtol=0)
    assert module.training
    assert module.weight.requires_grad


def test_no_room_is_no_adversary_and_the_weights_are_the_same() -> None:
    nothing = replace(PLAN, eps=0.0)
    found = train(LINEAR, replace(RECIPE, adversarial=nothing), TRAINING)
    plain = train(LINEAR, RECIPE, TRAINING)
    assert all(np.array_equal(found[name], plain[name]) for name in plain)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_every_moved_row_is_within_the_threat(norm: Any) -> None:
    seen: list[torch.Tensor] = []
    module = LINEAR.build()
    inputs = torch.from_numpy(TRAINING.inputs[:64]).clamp(-1, 1)
    plan = AdversarialTraining("pgd", 0.3, -1.0, 1.0, norm=norm, steps=3)
    adversary = Adversary(plan, torch.Generator().manual_seed(1))
    batch = Batch(inputs, (Part(torch.from_numpy(TRAINING.target[:64])),))

    def loss(given: Batch) -> torch.Tensor:
        seen.append(given.inputs.detach())
        return given.loss(module(given.inputs), cross_entropy, 0.0)

    adversary.train(module, batch, loss, lambda found: found.backward())
    assert bool(adversary.threat.allows(inputs, seen[-1]).all())
    assert not torch.equal(seen[-1], inputs)


def test_the_epoch_that_withstands_most_is_kept_without_validation_rows() -> None:
    losses: list[float | None] = []
    recipe = replace(RECIPE, adversarial=replace(PLAN, method="fast"), epochs=4)
    train(LINEAR, recipe, TRAINING, progress=lambda _, __, loss: losses.append(loss))
    assert len(losses) == 4
    assert all(loss is not None and np.isfinite(loss) for loss in losses)


def test_catastrophic_overfitting_is_seen_by_ten_steps_and_what_is_kept_is_from_before_it() -> None:
    """Of free training at .4, after plain training: at its end the steps that it trains on are withstood, ten are not."""
    digits = builtin_subject("digits").splits["train"]
    assert digits.inputs is not None
    assert digits.target is not None
    rows = Examples(digits.inputs, digits.target)

    def wide() -> nn.Module:
        hidden = nn.Linear(256, 256)
        return nn.Sequential(
            nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), hidden, nn.ReLU(), nn.Linear(256, 10)
        )

    plain = train(Network(wide), replace(RECIPE, epochs=15, learning_rate=2e-3), rows)
    built: list[nn.Module] = []
    judged: list[float | None] = []

    def build() -> nn.Module:
        module = wide()
        module.load_state_dict({name: torch.from_numpy(value) for name, value in plain.items()})
        built.append(module)
        return module

    plan = AdversarialTraining("free", 0.4, 0.0, 1.0, steps=4)
    recipe = replace(
        RECIPE, epochs=10, learning_rate=2e-3, batch_size=64, schedule="constant", adversarial=plan
    )
    kept = train(Network(build), recipe, rows, judged=judged.extend)
    losses = np.array(judged, float)
    assert losses[-1] > 2 * losses.min()
    assert any("catastrophic overfitting" in said for said in said_of(losses, recipe))

    inputs, target = torch.from_numpy(rows.inputs), torch.from_numpy(rows.target)
    adversary = Adversary(plan, torch.Generator().manual_seed(0))

    def errors_after(module: nn.Module, steps: int) -> float:
        def harm(at: torch.Tensor) -> torch.Tensor:
            return cross_entropy(module(at), target, 0.0)

        moved = adversary.ascended(inputs, inputs, steps, harm)
        return float((module(moved).argmax(1) != target).float().mean())

    last = built[-1].eval()  # trained in place: as it was after the last epoch
    assert errors_after(last, 1) < 0.7
    assert errors_after(last, 10) > 0.95
    assert not np.array_equal(kept["1.weight"], last.state_dict()["1.weight"].numpy())


def test_training_against_an_adversary_goes_on_after_a_kill(tmp_path: Any) -> None:
    recipe = replace(RECIPE, adversarial=replace(PLAN, steps=2), epochs=4)
    whole = train(LINEAR, recipe, TRAINING)

    class Killed(Exception):
        pass

    def kill(epoch: int, _: int, __: float | None) -> None:
        if epoch == 2:
            raise Killed

    import roadworthy.training.checkpoint as checkpoint

    file = tmp_path / "state.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "SECONDS_BETWEEN", 0.0)
        with pytest.raises(Killed):
            train(LINEAR, recipe, TRAINING, unfinished=file, progress=kill)
    assert file.is_file()
    judged: list[list[float | None]] = []
    again = train(LINEAR, recipe, TRAINING, unfinished=file, judged=judged.append)
    assert all(np.array_equal(again[name], whole[name]) for name in whole)
    train(LINEAR, recipe, TRAINING, judged=judged.append)
    assert judged[0] == judged[1]
    assert len(judged[0]) == 4


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (replace(PLAN, low=0.0, high=1.0), "inputs from 0 to 1, but training rows run from"),
        (replace(PLAN, steps=0), "at least 1 step"),
        (replace(PLAN, eps=-1.0), "eps must be at least 0"),
        (replace(PLAN, low=1.0, high=0.0), "range of the inputs must rise"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(plan: AdversarialTraining, words: str) -> None:
    with pytest.raises(UserError, match=words):
        train(LINEAR, replace(RECIPE, adversarial=plan), TRAINING)


def test_columns_of_a_table_have_no_common_range() -> None:
    with pytest.raises(UserError, match="no common range"):
        adversary_of(PLAN, LINEAR.build(), torch.zeros(3, D), torch.Generator(), is_table=True)


def test_soft_targets_are_cross_entropy_with_probabilities() -> None:
    logits = torch.randn(20, 3)
    soft = torch.randn(20, 3).softmax(1)
    expected = -(soft * logits.log_softmax(1)).sum(1)
    batch = Batch(logits, (Part(torch.zeros(20).long()),)).answered(soft)
    torch.testing.assert_close(batch.loss(logits, cross_entropy, 0.0), expected.mean())
    weights = torch.rand(20)
    weighted = Batch(logits, (Part(torch.zeros(20).long(), weights),)).answered(soft)
    torch.testing.assert_close(
        weighted.loss(logits, cross_entropy, 0.0), (expected * weights).mean()
    )
    torch.testing.assert_close(
        tempered(cross_entropy, 4.0)(logits, soft, 0.0),
        -(soft * (logits / 4).log_softmax(1)).sum(1).mean(),
    )


def test_a_distilled_network_agrees_with_its_teacher_and_is_surer() -> None:
    recipe = replace(RECIPE, distillation=20.0, epochs=40)
    found = trained(Job(LINEAR, recipe, TRAINING))
    plain = trained(Job(LINEAR, replace(recipe, distillation=None), TRAINING))
    answers = [evaluate(load(LINEAR, weights), TEST.inputs) for weights in (found, plain)]
    assert (answers[0].argmax(1) == answers[1].argmax(1)).mean() > 0.9
    # At temperature 1 its logits are about as many times larger: gradients vanish (masking).
    assert np.abs(answers[0]).mean() > 2 * np.abs(answers[1]).mean()


def test_a_teacher_answers_at_its_temperature() -> None:
    weights = train(LINEAR, RECIPE, TRAINING)
    inputs = torch.from_numpy(TEST.inputs[:9])
    logits = torch.from_numpy(evaluate(load(LINEAR, weights), TEST.inputs[:9]))
    found = teacher_of(LINEAR, weights, 5.0, "cpu")(inputs)
    torch.testing.assert_close(found, (logits / 5).softmax(1))


@pytest.mark.parametrize(
    ("network", "temperature", "words"),
    [
        (LINEAR, 0.5, "temperature of at least 1"),
        (
            Network(lambda: nn.Sequential(nn.Linear(D, 2), nn.Softmax(1)), "softmax"),
            20.0,
            "logits rather than probabilities",
        ),
    ],
)
def test_distillation_needs_logits(network: Network, temperature: float, words: str) -> None:
    with pytest.raises(UserError, match=words):
        trained(Job(network, replace(RECIPE, distillation=temperature), TRAINING))


def test_numbers_cannot_be_distilled() -> None:
    numbers = Examples(TRAINING.inputs, TRAINING.target.astype(np.float64))
    with pytest.raises(UserError, match="target is a number"):
        trained(Job(Network(partial(nn.Linear, D, 1)), replace(RECIPE, distillation=9.0), numbers))


def test_gaussian_noise_has_the_deviation_that_was_asked_for() -> None:
    from roadworthy.subject import Augmentation
    from roadworthy.training.augmentation import augmenter
    from roadworthy.training.streaming import rows_on

    module = LINEAR.build()
    given = rows_on(TRAINING, module, "cpu")
    recipe = replace(RECIPE, augmentation=(Augmentation("gaussian", 0.5),))
    batch = Batch(given.inputs(slice(None)), (Part(given.target),))
    moved = augmenter(recipe, given, module)(batch).inputs - batch.inputs
    assert abs(float(moved.std()) - 0.5) < 0.02


def test_corrupted_rows_keep_to_the_range_and_other_kinds_are_never_seen() -> None:
    from roadworthy.perturbation.corruptions import kinds_for
    from roadworthy.training.corrupting import Corrupting, kinds_to_train_on

    images = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    corrupting = Corrupting.of(images)
    assert set(corrupting.amounts) == set(kinds_to_train_on((40, 1, 8, 8)))
    assert len(set(kinds_for((40, 1, 8, 8))) - set(corrupting.amounts)) >= 7
    changed = [
        corrupting.changed(images, 3.0, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    ]
    assert torch.equal(changed[0], changed[1])
    assert not torch.equal(changed[0], changed[2])
    assert float(changed[0].min()) >= float(images.min())
    assert float(changed[0].max()) <= float(images.max())
    assert torch.equal(corrupting.changed(images, 0.0, torch.Generator().manual_seed(1)), images)


def test_a_network_is_trained_on_corrupted_images() -> None:
    from roadworthy.subject import Augmentation
    from roadworthy.subject.builtin import small_conv_net

    images = RNG.random((60, 1, 8, 8)).astype(np.float32)
    examples = Examples(images, RNG.integers(0, 10, 60))
    recipe = replace(RECIPE, epochs=1, augmentation=(Augmentation("corruption", 3.0),))
    plain = train(Network(small_conv_net), replace(recipe, augmentation=()), examples)
    found = train(Network(small_conv_net), recipe, examples)
    assert any(not np.array_equal(found[name], plain[name]) for name in plain)
