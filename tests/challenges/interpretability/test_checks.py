"""Checks of attributions and their faults: the number is the one that was planted, and trials see what they should."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.challenges.interpretability import faults, trials
from roadworthy.challenges.interpretability.checks import (
    attribution_agreement,
    attribution_sanity,
    attribution_stability,
    incomplete_attributions,
)
from roadworthy.challenges.interpretability.explaining import Explained
from roadworthy.challenges.interpretability.faithfulness import attribution_faithfulness, gains_of
from roadworthy.challenges.interpretability.mitigations import (
    any_method_that_fits,
    most_faithful,
    most_faithful_attribution,
)
from roadworthy.engine import Registry, compute
from roadworthy.errors import NotApplicable, UserError
from roadworthy.statistics import judge
from roadworthy.subject import Predictor, Task, builtin_subject, fields_of
from roadworthy.subject.subject import Split, Subject

BINARY = Task("binary", ("no", "yes"))
FILLERS = ("the usual row", "the blurred image")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.discover()


def subject_of(module: nn.Module, inputs: np.ndarray) -> Subject:
    def run(given: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return module(torch.from_numpy(np.asarray(given, np.float32))).numpy()

    labels = np.arange(len(inputs)) % 2
    return Subject(
        name="made",
        task=BINARY,
        modality="array",
        splits={"train": Split(inputs, labels), "test": Split(inputs[::-1].copy(), labels)},
        predictor=Predictor(run, "logits", identity=("made", len(inputs)), module=module.eval()),
    )


def one(registry: Registry, subject: Subject, name: str, options=None):
    found = compute(registry, fields_of(subject), [name], options=options or {})[name]
    assert found.state == "done", f"{found.reason} {found.traceback}"
    return found.value


def curves(deletion: float, insertion: float, chance: float, n: int = 200) -> np.ndarray:
    heights = np.array([deletion, insertion, chance])
    return np.tile(heights[None, None, :, None], (n, 2, 1, 21))


def faithfulness(given: np.ndarray):
    return attribution_faithfulness(given, FILLERS, "saliency", BINARY, np.arange(len(given)), None)


def test_faithfulness_is_the_smallest_gain_over_chance() -> None:
    given = curves(0.2, 0.8, 0.5)
    given[:, 1, 1] = 0.6  # insertion into the blurred image: .1 above chance, the rest .3
    found = faithfulness(given)
    assert found.value == pytest.approx(0.1)
    assert "insertion, the blurred image" in found.details
    assert "saliency" in found.details
    assert len(found.evidence) == 3


def test_an_image_of_one_pixel_has_no_order_and_is_not_judged(registry) -> None:
    inputs = np.random.default_rng(0).random((40, 1, 1, 1)).astype(np.float32)
    layer = nn.Linear(1, 2)
    layer.weight.data, layer.bias.data = torch.tensor([[-9.0], [9.0]]), torch.tensor([4.5, -4.5])
    subject = subject_of(nn.Sequential(nn.Flatten(), layer), inputs)
    names = ["attribution_faithfulness", "attribution_sanity", "attribution_stability"]
    names.append("attribution_agreement")
    found = compute(registry, fields_of(subject), names)
    assert {found[n].state for n in names} == {"not_applicable"}, [
        found[n].traceback for n in names
    ]
    assert all("position" in str(found[n].reason) or "three" in str(found[n].reason) for n in names)


def test_gains_are_areas_by_trapezoids() -> None:
    given = np.zeros((1, 1, 3, 3))
    given[0, 0, 0], given[0, 0, 1], given[0, 0, 2] = [1, 0.2, 0], [0, 0.9, 1], [1, 0.5, 0]
    # Areas .35, .7 and .5.
    assert gains_of(given)[0, 0].tolist() == pytest.approx([0.15, 0.2])


def test_an_explanation_no_better_than_chance_does_not_pass() -> None:
    rng = np.random.default_rng(0)
    given = curves(0.5, 0.5, 0.5) + rng.normal(0, 0.1, (200, 2, 3, 1))
    requirement = attribution_faithfulness.__dict__["__roadworthy__"].requires
    assert judge(faithfulness(given), requirement).verdict == "fail"
    assert judge(faithfulness(curves(0.2, 0.8, 0.5)), requirement).verdict == "pass"


@pytest.mark.parametrize("severity", [0.15, 0.05, -0.15])
def test_the_planted_gain_is_the_worst_of_the_four(severity) -> None:
    subject = builtin_subject("digits")
    rng = np.random.default_rng(0)
    clean = faults.orders_that_find_what_counts(subject, rng, curves(0, 1, 0.5, 20_000))
    assert faults.orders_no_better_than_chance(clean, 0.25, rng, curves(0, 1, 0.5, 2)) is clean
    planted = faults.orders_no_better_than_chance(clean, severity, rng, curves(0, 1, 0.5, 20_000))
    means = gains_of(planted.given["test_faithfulness_curves"]).mean(axis=0)
    assert means.min() == pytest.approx(severity, abs=0.005)
    assert gains_of(clean.given["test_faithfulness_curves"]).mean(axis=0).min() == pytest.approx(
        0.25, abs=0.005
    )


def test_a_row_that_misses_its_sum_by_more_than_a_twentieth_counts() -> None:
    missed = np.array([0.0, 0.04, 0.06, 1.0], np.float32)
    found = incomplete_attributions(missed, "deeplift", np.array([5, 6, 7, 8]))
    assert found.value == 0.5
    assert [e.row for e in found.evidence[0].examples][:2] == [8, 7]
    with pytest.raises(NotApplicable, match="input gradient promises no sum"):
        incomplete_attributions(np.full(4, np.nan), "input_gradient", np.arange(4))


@pytest.mark.parametrize("nothing", [np.nan, np.inf])
def test_a_sum_that_is_no_number_is_missed_and_never_passes(nothing) -> None:
    missed = np.full(400, 0.001, np.float32)
    missed[:200] = nothing
    found = incomplete_attributions(missed, "deeplift", np.arange(400))
    assert found.value == 0.5
    requirement = incomplete_attributions.__dict__["__roadworthy__"].requires
    assert judge(found, requirement).verdict == "fail"
    assert "200 have a sum that is no number" in found.details
    first = found.evidence[0].examples[0]
    assert (first.note, first.score) == ("its sum is no number", None)
    assert "nan" not in str(found)
    assert "inf" not in str(found.evidence)
    found = incomplete_attributions(np.full(400, np.inf, np.float32), "deeplift", np.arange(400))
    assert found.value == 1.0


def test_missing_numbers_miss_the_sums_of_integrated_gradients(registry) -> None:
    class Additive(nn.Module):
        def forward(self, inputs):
            worth = inputs.nan_to_num().sin().sum(1)
            return torch.stack([-worth, worth], dim=1)

    inputs = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    subject = subject_of(Additive(), inputs)
    gaps = inputs.copy()
    gaps[:60, 2] = np.nan
    subject = replace(
        subject, splits={**subject.splits, "test": Split(gaps, np.arange(300) % 2)}
    ).with_given(attribution_method="integrated_gradients")
    found = one(registry, subject, "test_attribution_incompleteness")
    told = incomplete_attributions(found, "integrated_gradients", np.arange(300))
    assert told.value == pytest.approx(0.2)


def test_planted_sums_and_wavering_are_what_they_say() -> None:
    subject, rng = builtin_subject("digits"), np.random.default_rng(0)
    clean = faults.sums_that_are_met(subject, rng, np.zeros(20_000))
    given = clean.given["test_attribution_incompleteness"]
    assert faults.sums_that_are_missed(clean, 0.0, rng, given) is clean
    planted = faults.sums_that_are_missed(clean, 0.1, rng, given)
    found = incomplete_attributions(
        planted.given["test_attribution_incompleteness"], "deeplift", np.arange(20_000)
    )
    assert found.value == pytest.approx(0.1, abs=0.01)
    steady = faults.explanations_that_stay(subject, rng, np.zeros(20_000))
    assert faults.explanations_that_waver(steady, 1.0, rng, np.zeros(2)) is steady
    wavering = faults.explanations_that_waver(steady, 0.4, rng, np.zeros(20_000))
    values = wavering.given["test_stability_correlations"]
    assert attribution_stability(values, np.arange(20_000)).value == pytest.approx(0.4, abs=0.01)


def test_moran_s_mean_of_spearman_by_simulation() -> None:
    from scipy.stats import spearmanr

    share, rng = faults.fixed_share(0.4, 30), np.random.default_rng(0)
    drawn = []
    for _ in range(2_000):
        fixed, one_part, other = rng.normal(size=(3, 30))
        pair = [np.sqrt(share) * fixed + np.sqrt(1 - share) * w for w in (one_part, other)]
        drawn.append(spearmanr(*pair).statistic)
    assert np.mean(drawn) == pytest.approx(0.4, abs=0.012)  # standard error .0035


@pytest.mark.parametrize("likeness", [0.0, 0.4])
def test_a_network_that_its_weights_do_not_decide_is_seen(registry, likeness) -> None:
    subject, found = builtin_subject("digits"), []
    subject = subject.with_split("test", subject.splits["test"].take(np.arange(60)))
    for seed in range(3):
        rng = np.random.default_rng(seed)
        clean = faults.answers_that_weights_decide(subject, rng)
        assert faults.answers_that_weights_do_not_decide(clean, 0.0, rng) is clean
        planted = (
            faults.answers_that_weights_do_not_decide(clean, likeness, rng) if likeness else clean
        )
        found.append(attribution_sanity(one(registry, planted, "test_sanity_correlations")))
    assert np.mean([m.value for m in found]) == pytest.approx(likeness, abs=0.05)
    assert all(m.seeds == 8 for m in found)


def test_likeness_to_scrambled_networks_is_signed_and_of_what_differs_from_the_reference(
    registry,
) -> None:
    from scipy.stats import spearmanr

    # Half of each row is the reference, where every attribution is 0: the trap of the naive check.
    rng = np.random.default_rng(0)
    inputs = (rng.normal(size=(30, 24)) * (rng.random((30, 24)) < 0.5)).astype(np.float32)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(24, 8), nn.Tanh(), nn.Linear(8, 2))
    reference = {"point": np.zeros((1, 24), np.float32), "sample": inputs[:8]}
    subject = subject_of(network, inputs).with_given(
        attribution_method="input_gradient", attribution_reference=reference
    )
    names = ("explainer", "attribution_seed", "test_attributions", "test_explained_ids")
    names += ("test_explained_inputs", "test_explained_classes", "test_sanity_correlations")
    made = {n: c.value for n, c in compute(registry, fields_of(subject), names).items()}
    rows = Explained(
        *(made[f"test_explained_{n}"] for n in ("inputs", "classes", "ids")),
        made["attribution_seed"],
    )
    alike = made["test_sanity_correlations"]
    assert alike.shape == (30, trials.NETWORKS + 1)
    for number in range(trials.NETWORKS):
        other = made["explainer"].with_scrambled_weights(made["attribution_seed"] + number)
        values = other.by("input_gradient", rows, reference).values.numpy()
        for i, seen in enumerate(rows.inputs != 0):
            own = made["test_attributions"][i][seen]
            assert alike[i, number] == pytest.approx(spearmanr(own, values[i][seen]).statistic)
    assert np.abs(alike[:, :-1].mean()) < 0.2 < alike[:, -1].mean()


def test_one_scrambled_network_without_an_explanation_leaves_the_others() -> None:
    given = np.random.default_rng(0).normal(0, 0.1, (100, 9))
    given[:, 3] = np.nan
    found = attribution_sanity(given)
    assert found.n == 100
    assert found.seeds == 7
    assert "1 of 8 networks" in found.details
    with pytest.raises(NotApplicable, match="7 of 8 networks"):
        attribution_sanity(np.where(np.arange(9) < 7, np.nan, given))
    with pytest.raises(NotApplicable, match="no two rows"):
        attribution_sanity(np.full((100, 9), np.nan))


def test_networks_that_are_silent_in_different_rows_are_named() -> None:
    given = np.random.default_rng(0).normal(0, 0.1, (100, 9))
    halves = given.copy()
    halves[:50, :4] = halves[50:, 4:8] = np.nan
    with pytest.raises(NotApplicable, match=r"^8 of 8 networks .* no two of 100 rows"):
        attribution_sanity(halves)
    one_each = given.copy()
    one_each[np.arange(99), np.arange(99) % 3] = np.nan
    with pytest.raises(NotApplicable, match=r"^3 of 8 networks .* no two of 100 rows"):
        attribution_sanity(one_each)
    at_the_reference = np.full((100, 9), np.nan)
    at_the_reference[0] = 0.1
    with pytest.raises(NotApplicable, match="no two rows have three values"):
        attribution_sanity(at_the_reference)


def test_sizes_that_need_no_model_are_doubted() -> None:
    rng = np.random.default_rng(0)
    given = np.concatenate([rng.normal(0, 0.1, (100, 4)), np.full((100, 1), 0.99)], axis=1)
    found = attribution_sanity(given)
    assert "0.99" in found.details
    assert "same for any model" in str(found)


def test_an_explanation_that_a_nudge_turns_over_is_unstable(registry) -> None:
    class Rippled(nn.Module):
        """A line with ripples much finer than the noise: its slopes say nothing of a neighbour's."""

        def forward(self, inputs):
            worth = inputs.sum(1) + 1e-3 * (9e3 * inputs).sin().sum(1)
            return torch.stack([-worth, worth], dim=1)

    class Smooth(nn.Module):
        def forward(self, inputs):
            worth = (inputs * torch.arange(1.0, 9.0)).sum(1)
            return torch.stack([-worth, worth], dim=1)

    inputs = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    options = {"attribution_method": {"method": "saliency"}}
    values = [
        one(registry, subject_of(kind(), inputs), "test_stability_correlations", options)
        for kind in (Rippled, Smooth)
    ]
    assert attribution_stability(values[0], np.arange(60)).value < 0.3
    assert attribution_stability(values[1], np.arange(60)).value > 0.99
    with pytest.raises(UserError, match="nudge is 0"):
        trials.stability_correlations(*[None] * 8, nudge=0)


def test_methods_that_say_the_same_agree_and_chance_is_no_method() -> None:
    values = np.random.default_rng(0).normal(size=(50, 12))
    found = attribution_agreement(
        {
            "deeplift": values,
            "occlusion": 2 * values,
            "saliency": np.abs(values),
            "chance": -values,
        },
        "deeplift",
    )
    assert found.value == pytest.approx(1.0)
    assert len(found.evidence[0].rows) == 3
    with pytest.raises(NotApplicable, match="fewer than two"):
        attribution_agreement({"deeplift": values, "chance": values}, "deeplift")


class Hiding(nn.Module):
    """Decides by column 0 on rows like the real ones, and by column 1 on rows that nobody has (Slack et al. 2020)."""

    def forward(self, inputs):
        strange = (inputs - inputs.mean(1, keepdim=True)).abs().amax(1) > 0.5
        worth = torch.where(strange, inputs[:, 1], inputs[:, 0])
        return torch.stack([-worth, worth], dim=1)


def test_a_model_that_hides_from_removal_is_shown_by_methods_that_disagree(registry) -> None:
    rng = np.random.default_rng(0)
    # Real rows: five columns that say the same but for a little noise.
    inputs = (3 * rng.normal(size=(80, 1)) + 0.05 * rng.normal(size=(80, 5))).astype(np.float32)
    subject = subject_of(Hiding(), inputs)
    subject = subject.with_given(attribution_method="integrated_gradients")
    rivals = one(registry, subject, "test_rival_attributions")
    along, removed = (np.abs(rivals[n]).mean(0) for n in ("integrated_gradients", "kernel_shap"))
    assert along.argmax() == 0  # paths between real rows meet real rows: column 0
    assert removed.argmax() == 1  # removal makes strange rows, on which it shows column 1
    honest = nn.Linear(5, 2, bias=False)
    honest.weight.data = torch.tensor([[-1.0, -0.5, 0.2, 0, 0], [1.0, 0.5, -0.2, 0, 0]])
    plain = subject_of(honest, inputs).with_given(attribution_method="integrated_gradients")
    agreed = attribution_agreement(
        one(registry, plain, "test_rival_attributions"), "integrated_gradients"
    )
    hidden = attribution_agreement(rivals, "integrated_gradients")
    assert hidden.value < agreed.value - 0.2


def test_the_most_faithful_is_the_one_whose_weaker_side_is_best() -> None:
    gains = {
        "deeplift": np.array([[0.3, 0.1], [0.3, 0.1]]),
        "occlusion": np.array([[0.2, 0.15], [0.2, 0.15]]),
        "chance": np.array([[0.9, 0.9]]),
    }
    assert most_faithful(gains) == "occlusion"
    subject = builtin_subject("digits")
    assert most_faithful_attribution(subject, 0.0, gains) is subject
    assert most_faithful_attribution(subject, 1.0, gains).given["attribution_method"] == "occlusion"
    drawn = {
        any_method_that_fits(subject, 1.0, np.random.default_rng(s), gains).given[
            "attribution_method"
        ]
        for s in range(30)
    }
    assert drawn == set(gains)
    assert any_method_that_fits(subject, 0.0, np.random.default_rng(0), gains) is subject
    with pytest.raises(NotApplicable, match="no method"):
        most_faithful({"chance": np.zeros((1, 2))})


def test_explaining_by_chance_is_found_out_and_another_method_repairs_it(registry) -> None:
    inputs = np.random.default_rng(0).normal(size=(120, 6)).astype(np.float32)
    layer = nn.Linear(6, 2, bias=False)
    layer.weight.data = torch.tensor([[-3.0, 2.0, 0, 0, 0, 1], [3.0, -2.0, 0, 0, 0, -1]])
    subject = subject_of(layer, inputs)
    subject = replace(subject, splits={**subject.splits, "validation": subject.splits["train"]})
    broken = faults.explained_by_chance(subject, 1.0, np.random.default_rng(0))
    assert faults.explained_by_chance(subject, 0.0, np.random.default_rng(0)) is subject
    gains = one(registry, broken, "validation_rival_gains")
    repaired = most_faithful_attribution(broken, 1.0, gains)
    values = [
        faithfulness(one(registry, s, "test_faithfulness_curves")).value for s in (broken, repaired)
    ]
    assert values[0] < 0.05 < values[1]
