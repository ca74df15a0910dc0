"""Few pixels, patches and answers alone: the truth that faults plant is what the checks find."""

from dataclasses import replace

import numpy as np
import pytest

from roadworthy.challenges.evasion import few_pixels, label_only, patches, search_faults, searching
from roadworthy.challenges.evasion.attacking import Attacking, Threatened, ball_of
from roadworthy.errors import NotApplicable
from roadworthy.results import Measurement
from roadworthy.statistics import judged, percent
from roadworthy.subject import Predictor, Split, Subject, Task
from roadworthy.training.artifacts import predictor as put_together

TASK = Task("classification", ("a", "b", "c"))
TORCH = ("torch", "")
PIXELS = {"k": 2, "low": 0.0, "high": 255.0}
PATCH = {"side": 2, "low": 0.0, "high": 255.0}
LINF = {"norm": "linf", "eps": 8.0, "low": 0.0, "high": 255.0}
N = 150
ROWS = np.arange(N)


def made_up(shape: tuple[int, ...] = (1, 8, 8)) -> Subject:
    rng = np.random.default_rng(0)
    split = Split(rng.random((N, *shape)).astype(np.float32) * 255, rng.integers(0, 3, N))
    return Subject("made up", TASK, "array", {"train": split, "test": split})


def labels(subject: Subject) -> np.ndarray:
    target = subject.splits["test"].target
    assert target is not None
    return target


def rows(subject: Subject) -> Threatened:
    inputs = subject.splits["test"].inputs
    assert inputs is not None
    return Threatened(inputs, labels(subject), np.arange(N, dtype=np.uint64), 0)


def model(subject: Subject) -> Predictor:
    assert subject.network is not None
    assert isinstance(subject.weights, dict)
    return put_together(subject.network, subject.weights)


def pixel_error(
    subject: Subject, budget: str = "quick", box: Predictor | None = None
) -> Measurement:
    of, asked = rows(subject), box or model(subject)
    outcomes = few_pixels.test_pixel_attack(
        asked, TASK, "logits", of.inputs, of.labels, of.ids, PIXELS, budget, {}, 0, TORCH
    )
    return few_pixels.few_pixels_error(outcomes, ROWS, PIXELS, budget, TORCH)


def patch_error(
    subject: Subject, budget: str = "quick", gradients: bool = True, box: Predictor | None = None
) -> Measurement:
    of, conduct = rows(subject), {"gradients": gradients}
    outcomes = patches.test_patch_attack(
        box or model(subject),
        TASK,
        "logits",
        of.inputs,
        of.labels,
        of.ids,
        PATCH,
        budget,
        conduct,
        0,
        TORCH,
    )
    return patches.patch_error(outcomes, ROWS, PATCH, budget, conduct, TORCH)


def label_only_error(
    subject: Subject, budget: str = "quick", gradients: bool = False
) -> Measurement:
    of, conduct = rows(subject), {"gradients": gradients}
    outcomes = label_only.test_label_only_attack(
        subject.given["predictor"],
        TASK,
        "logits",
        of.inputs,
        of.labels,
        of.ids,
        LINF,
        budget,
        conduct,
        0,
    )
    return label_only.label_only_error(outcomes, ROWS, LINF, budget)


@pytest.mark.parametrize("shape", [(3, 6, 6), (8, 8), (60,)])
def test_rows_within_reach_are_found_and_no_others(shape: tuple[int, ...]) -> None:
    subject, rng = made_up(shape), np.random.default_rng(1)
    of = labels(subject)
    for clear, plant, threat, error in (
        (
            search_faults.rows_out_of_reach_of_pixels,
            search_faults.rows_within_reach_of_pixels,
            PIXELS,
            lambda s: pixel_error(s, "adaptive"),
        ),
        (
            search_faults.rows_out_of_reach_of_patches,
            search_faults.rows_within_reach_of_patches,
            PATCH,
            patch_error,
        ),
        (
            search_faults.rows_out_of_reach_of_answers,
            search_faults.rows_within_reach_of_answers,
            LINF,
            label_only_error,
        ),
    ):
        clean = clear(subject, rng, threat, of)
        assert error(clean).value == 0
        assert plant(clean, 0.0, rng, threat, of) is clean
        planted = plant(clean, 0.5, np.random.default_rng(7), threat, of)
        twin = np.random.default_rng(7)
        search_faults.Prototypes.drawn(twin, 3, shape)
        truth = (twin.random(N) < 0.5).mean()
        found = error(planted)
        assert found.n == N
        assert truth - 0.03 <= found.value <= truth + 1e-9, clear.__name__


def test_a_blind_search_finds_most_patches_too() -> None:
    subject, rng = made_up(), np.random.default_rng(1)
    planted = search_faults.rows_within_reach_of_patches(subject, 1.0, rng, PATCH, labels(subject))
    found = patch_error(planted, "adaptive", gradients=False)
    assert found.value > 0.75


def test_rows_that_were_wrong_without_any_change_count() -> None:
    subject, rng = made_up(), np.random.default_rng(1)
    of = labels(subject)
    clean = search_faults.rows_out_of_reach_of_pixels(subject, rng, PIXELS, of)
    wrong = clean.with_target("test", np.where(ROWS < 30, (of + 1) % 3, of))
    found = pixel_error(wrong)
    assert found.value == pytest.approx(0.2)
    assert "30 more were wrong" in found.details


def test_a_model_that_raises_half_way_raises() -> None:
    subject, rng = made_up(), np.random.default_rng(1)
    planted = search_faults.rows_within_reach_of_answers(subject, 0.3, rng, LINF, labels(subject))
    whole = planted.given["predictor"]
    calls = [0]

    def call(inputs: np.ndarray) -> np.ndarray:
        calls[0] += 1
        if calls[0] > 40:
            raise RuntimeError("half-way")
        return whole(inputs)

    broken = planted.with_given(predictor=replace(whole, call=call))
    with pytest.raises(RuntimeError, match="half-way"):
        label_only_error(broken)


def test_what_is_no_black_box_is_left_to_the_attacks_that_find_more() -> None:
    subject, rng = made_up(), np.random.default_rng(1)
    of = labels(subject)
    known = search_faults.rows_out_of_reach_of_pixels(subject, rng, PIXELS, of)
    with pytest.raises(NotApplicable, match="for black boxes"):
        label_only_error(known.with_given(predictor=model(known)), gradients=True)


def answers_of(known: Predictor) -> Predictor:
    """Return a model that gives the class alone, without how sure it is."""

    def call(inputs: np.ndarray) -> np.ndarray:
        return np.eye(3, dtype=np.float32)[known(inputs).argmax(axis=1)]

    return Predictor(call, "logits", "made for a test")


def test_a_search_that_goes_by_outputs_that_never_move_is_doubted_and_passes_nothing() -> None:
    subject, rng = made_up(), np.random.default_rng(1)
    of = labels(subject)
    known = search_faults.rows_out_of_reach_of_pixels(subject, rng, PIXELS, of)
    assert judged(pixel_error(known), searching.TOLERATED).verdict == "pass"
    blind = judged(pixel_error(known, box=answers_of(model(known))), searching.TOLERATED)
    assert (blind.verdict, blind.reason_code) == ("inconclusive", "unreliable")
    known = search_faults.rows_out_of_reach_of_patches(subject, rng, PATCH, of)
    assert judged(patch_error(known, gradients=False), searching.TOLERATED).verdict == "pass"
    box = answers_of(model(known))
    blind = judged(patch_error(known, gradients=False, box=box), searching.TOLERATED)
    assert (blind.verdict, blind.reason_code) == ("inconclusive", "unreliable")
    assert "moved the outputs" in blind.reason


def test_a_network_that_lets_no_gradients_pass_is_attacked_by_its_answers_too() -> None:
    subject, rng = made_up(), np.random.default_rng(1)
    within = search_faults.rows_within_reach_of_answers(subject, 0.6, rng, LINF, labels(subject))
    assert label_only_error(within).value > 0.5


def test_threats_follow_the_size_of_the_inputs() -> None:
    images, series = np.zeros((2, 3, 32, 32)), np.zeros((2, 200))
    assert few_pixels.pixel_threat((0, 1), images) == {"k": 10, "low": 0.0, "high": 1.0}
    assert few_pixels.pixel_threat((0, 1), series)["k"] == 2
    assert few_pixels.pixel_threat((0, 1), images, pixels=3)["k"] == 3
    assert patches.patch_threat((0, 1), images) == {"side": 7, "low": 0.0, "high": 1.0}  # 7.16
    assert patches.patch_threat((0, 1), series)["side"] == 10
    assert patches.patch_threat((0, 1), images, side=4)["side"] == 4


def test_the_quick_budget_stays_in_torch() -> None:
    subject, rng = made_up(), np.random.default_rng(1)
    clean = search_faults.rows_out_of_reach_of_pixels(subject, rng, PIXELS, labels(subject))
    name, reason = searching.search_runner(
        model(clean), TASK, "logits", rows(clean).inputs, "quick"
    )
    assert name == "torch"
    assert "not worth" in reason


@pytest.mark.slow
def test_onnxruntime_finds_what_torch_finds() -> None:
    subject, rng = made_up(), np.random.default_rng(1)
    planted = search_faults.rows_within_reach_of_pixels(subject, 0.5, rng, PIXELS, labels(subject))
    attacking, threat = Attacking(model(planted), TASK, "logits"), few_pixels.pixels_of(PIXELS)
    tried = few_pixels.attacks("quick")
    ours = searching.outcomes_of(attacking, rows(planted), threat, tried, ("onnxruntime", ""))
    theirs = searching.outcomes_of(attacking, rows(planted), threat, tried, TORCH)
    np.testing.assert_array_equal(ours[:, 1], theirs[:, 1])


def test_faults_refuse_what_they_cannot_plant() -> None:
    subject, rng = made_up(), np.random.default_rng(1)
    whole = {"side": 8, "low": 0.0, "high": 255.0}
    with pytest.raises(NotApplicable, match="covers all values"):
        search_faults.rows_out_of_reach_of_patches(subject, rng, whole, labels(subject))
    wide = {"norm": "linf", "eps": 100.0, "low": 0.0, "high": 255.0}
    assert ball_of(wide).eps == 100.0
    with pytest.raises(NotApplicable, match="leave the range"):
        search_faults.rows_out_of_reach_of_answers(subject, rng, wide, labels(subject))


def test_the_change_and_what_withstands_it_are_said_in_words() -> None:
    subject, rng = made_up(), np.random.default_rng(3)
    half = search_faults.rows_within_reach_of_pixels(subject, 0.5, rng, PIXELS, labels(subject))
    found = pixel_error(half)
    assert "Giving the 2 positions that matter most any values from 0 to 255 turns" in found.details
    assert f"at most {percent(1 - found.value)} withstand it: the quick budget" in found.details
    seen = search_faults.rows_within_reach_of_answers(subject, 0.5, rng, LINF, labels(subject))
    said = label_only_error(seen).details
    assert "Changing each value by at most 8 (inputs run from 0 to 255) turns" in said
    assert "Giving a patch of side 2" in patch_error(half).details
