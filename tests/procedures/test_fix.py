"""Fix: what is tried, chosen, accepted and rejected, with which reason; nothing heavy is trained."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roadworthy.engine import Registry, Started, Store, artifact, check, mitigation, sham
from roadworthy.errors import NotApplicable, UserError
from roadworthy.procedures.audit import Request
from roadworthy.procedures.fix import FixRun, Means, fix
from roadworthy.procedures.fix.changes import changes_between
from roadworthy.procedures.fix.combination import best_two
from roadworthy.procedures.fix.reseeding import starts_alike
from roadworthy.procedures.fix.trial import tried
from roadworthy.procedures.fix.workshop import Workshop
from roadworthy.procedures.proof import ProofLog
from roadworthy.procedures.stored import STORED
from roadworthy.quantities import identity
from roadworthy.results import AtMost, Candidate, Effect, Estimate, Measurement
from roadworthy.statistics import mean, measured, rate
from roadworthy.subject import (
    Attribute,
    DecisionRule,
    Network,
    Recipe,
    Split,
    Subject,
    Task,
    Variant,
)

MEANS = Means(resamples=100, seconds=2.0, seeds=5, most_training=None, dear_checks=True)


# A toy model: weights (steepness, heed paid to a column of noise); labels follow the first column.


class ToyTrainer:
    """Steepness is the learning rate, heed to noise the weight decay, a little of both by seed."""

    def __init__(self, recipe: Recipe, network: Network) -> None:
        self.recipe = recipe
        self.network = network

    def weights(self, variants: Sequence[Variant]) -> list[Mapping[str, np.ndarray]]:
        found: list[Mapping[str, np.ndarray]] = []
        for variant in variants:
            recipe = variant.recipe or self.recipe
            if not np.isfinite(recipe.learning_rate):
                raise UserError("The loss became NaN in epoch 1; use a smaller learning rate.")
            luck = 0.02 * np.random.default_rng(recipe.seed).normal(size=2)
            found.append({"w": np.array([recipe.learning_rate, recipe.weight_decay]) + luck})
        return found


@artifact(stored=False)
def trainer(recipe: Recipe, network: Network, train_inputs: np.ndarray) -> ToyTrainer:
    """Train toys."""
    return ToyTrainer(recipe, network)


@artifact(cost="training")
def weights(trainer: ToyTrainer) -> Mapping[str, np.ndarray]:
    """Trained weights."""
    return trainer.weights([Variant()])[0]


@artifact(per="split", shape="n c", rows=True)
def probabilities(inputs: np.ndarray, weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """Probability of both classes."""
    p = 1 / (1 + np.exp(-inputs @ weights["w"]))
    return np.stack([1 - p, p], axis=1)


@artifact(per="split", shape="n", rows=True)
def correct(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether it is right."""
    return probabilities.argmax(axis=1) == labels


@check(challenge="toy", requires=AtMost(0.2, "test"))
def share_wrong(test_correct: np.ndarray) -> Measurement:
    """Share of wrong answers."""
    return rate(int((~test_correct).sum()), len(test_correct), unit="share of rows")


@check(challenge="surety", requires=AtMost(0.05, "test"))
def claimed_too_much(test_probabilities: np.ndarray, test_correct: np.ndarray) -> Measurement:
    """Between how often it claims to be right and how often it is."""
    gap = test_probabilities.max(axis=1) - test_correct
    found, error = abs(float(gap.mean())), float(gap.std() / np.sqrt(len(gap)))
    return measured(
        found, len(gap), Estimate(found, error, len(gap) - 1), unit="share of rows", method="t"
    )


@check(challenge="surety")
def confidence(test_probabilities: np.ndarray) -> Measurement:
    """Mean confidence."""
    return mean(test_probabilities.max(axis=1), unit="share of rows")


@check(challenge="toy", requires=AtMost(0.2, "test"))
def of_the_labels(test_labels: np.ndarray) -> Measurement:
    """Distance of the classes' shares from a half."""
    return mean(np.abs(test_labels - 0.5) - 0.5, unit="share of rows")


@mitigation(targets="share_wrong", strengths=(0.5, 1.0))
def less_noise(subject: Subject, strength: float) -> Subject:
    """Heed the noise less, by training again."""
    assert subject.recipe is not None
    decay = subject.recipe.weight_decay * (1 - strength)
    return subject.retrained(recipe=replace(subject.recipe, weight_decay=decay))


@mitigation(targets=("claimed_too_much", "share_wrong"), strengths=(0.3, 0.6, 1.0), sham="shaken")
def cooled(subject: Subject, strength: float, weights: Mapping[str, np.ndarray]) -> Subject:
    """Be less sure, with the same decisions."""
    return replace(subject, weights={"w": weights["w"] / (1 + 4 * strength)})


@sham()
def shaken(
    subject: Subject,
    strength: float,
    rng: np.random.Generator,
    weights: Mapping[str, np.ndarray],
) -> Subject:
    """Change the scale by luck."""
    return replace(subject, weights={"w": weights["w"] * (1 + 0.05 * strength * rng.normal())})


@mitigation(targets="claimed_too_much", strengths=(1.0,))
def cooled_and_confused(
    subject: Subject, strength: float, weights: Mapping[str, np.ndarray]
) -> Subject:
    """Be less sure, and wrong far more often."""
    return replace(subject, weights={"w": weights["w"] / 20 + np.array([0.0, 0.25])})


@mitigation(targets="claimed_too_much", strengths=(1.0,))
def cooled_and_a_little_confused(
    subject: Subject, strength: float, weights: Mapping[str, np.ndarray]
) -> Subject:
    """Be less sure, and wrong a little more often: allowed still, and more than is tolerated."""
    return replace(subject, weights={"w": weights["w"] / 5 + np.array([0.0, 0.15])})


@mitigation(targets="claimed_too_much", strengths=(0.5, 1.0), sham="luckily_confused")
def cooled_or_crippled(
    subject: Subject, strength: float, weights: Mapping[str, np.ndarray]
) -> Subject:
    """Be less sure; at full strength exactly as sure as right, and wrong twice as often."""
    steepness = weights["w"][0]
    answers = [0.28, 0.28] if strength == 1.0 else [steepness / 3, 0.0]
    return replace(subject, weights={"w": np.array(answers)})


@sham()
def luckily_confused(
    subject: Subject, strength: float, weights: Mapping[str, np.ndarray]
) -> Subject:
    """Be a little less sure; at full strength much less, and wrong far more often."""
    answers = [0.2, 0.4] if strength == 1.0 else [0.9 * weights["w"][0], 0.0]
    return replace(subject, weights={"w": np.array(answers)})


@mitigation(targets="claimed_too_much", strengths=(0.5, 1.0))
def crippled(subject: Subject, strength: float) -> Subject:
    """Be about as sure as right, and wrong far more often."""
    return replace(subject, weights={"w": np.array([0.2 + 0.08 * strength, 0.28])})


@mitigation(targets="claimed_too_much", strengths=(0.5, 1.0), sham="also_cools")
def no_better_than_its_sham(
    subject: Subject, strength: float, weights: Mapping[str, np.ndarray]
) -> Subject:
    """Be less sure."""
    return replace(subject, weights={"w": weights["w"] / (1 + 4 * strength)})


@mitigation(targets="claimed_too_much", strengths=(0.5, 1.0), sham="cools_somewhat")
def cooled_more_than_its_sham(
    subject: Subject, strength: float, weights: Mapping[str, np.ndarray]
) -> Subject:
    """Be less sure."""
    return replace(subject, weights={"w": weights["w"] / (1 + 4 * strength)})


@sham()
def cools_somewhat(subject: Subject, strength: float, weights: Mapping[str, np.ndarray]) -> Subject:
    """Be a little less sure."""
    return replace(subject, weights={"w": weights["w"] / 3})


@sham()
def also_cools(subject: Subject, strength: float, weights: Mapping[str, np.ndarray]) -> Subject:
    """Be less sure just as well."""
    return replace(subject, weights={"w": weights["w"] / (1 + 4 * strength)})


@mitigation(targets="claimed_too_much", strengths=(0.5, 1.0))
def nothing_at_all(subject: Subject, strength: float) -> Subject:
    """Change nothing."""
    return subject


@mitigation(targets="claimed_too_much", strengths=(1.0,))
def breaks(subject: Subject, strength: float) -> Subject:
    """Break."""
    raise ZeroDivisionError("the remedy itself is wrong")


@mitigation(targets="claimed_too_much", strengths=(1.0,))
def not_here(subject: Subject, strength: float) -> Subject:
    """Refuse."""
    raise NotApplicable("this is a remedy for texts")


@mitigation(targets="claimed_too_much", strengths=(0.5, 1.0))
def diverges(subject: Subject, strength: float) -> Subject:
    """Train to NaN at full strength; at half strength nothing is changed but the seed."""
    assert subject.recipe is not None
    rate = float("nan") if strength == 1.0 else subject.recipe.learning_rate
    return subject.retrained(recipe=replace(subject.recipe, learning_rate=rate, seed=77))


@mitigation(targets="confidence", strengths=(1.0,))
def for_a_note(subject: Subject, strength: float) -> Subject:
    """Aim at what nothing is required of."""
    return subject


BASE = (
    identity,
    trainer,
    weights,
    probabilities,
    correct,
    share_wrong,
    claimed_too_much,
    confidence,
    of_the_labels,
    shaken,
    also_cools,
    cools_somewhat,
    luckily_confused,
)


def tiny() -> Any:  # Any: an nn.Module
    from torch import nn

    return nn.Linear(2, 1)


def split(rng: np.random.Generator, n: int) -> Split:
    inputs = rng.normal(0, 3, (n, 2))
    labels = (rng.random(n) < 1 / (1 + np.exp(-inputs[:, 0]))).astype(np.int64)
    return Split(inputs, labels)


def toy(seed: int = 0, proof: int = 2000, heed: float = 0.0, **changes: Any) -> Subject:
    """Overconfident five times over; wrong in one of seven, more where it heeds the noise."""
    rng = np.random.default_rng(seed)
    sizes = {"train": 100, "validation": 2000, "test": 2000, "proof": proof}
    given = {
        "name": "toy",
        "task": Task("binary", ("no", "yes"), 1),
        "modality": "array",
        "splits": {name: split(rng, n) for name, n in sizes.items() if n},
        "network": Network(tiny, "toy"),
        "recipe": Recipe(learning_rate=5.0, weight_decay=5.0 * heed),
    }
    return Subject(**{**given, **changes})


def run(subject: Subject, *mitigations: Any, store: Store | None = None, **given: Any) -> FixRun:
    return fix(
        subject,
        Registry.of(*BASE, *mitigations),
        store=store or Store(None, records=STORED),
        **{"means": MEANS, "request": Request(), **given},
    )


def only(found: FixRun) -> Candidate:
    assert len(found.fix.candidates) == 1
    return found.fix.candidates[0]


def claims(candidate: Candidate) -> dict[str, bool]:
    return {claim.name: claim.holds for claim in candidate.claims}


def effect(found: FixRun, check: str, mitigation: str | None = None) -> Effect:
    name = mitigation or found.fix.candidates[0].mitigation
    return next(e for e in found.fix.effects if (e.mitigation, e.check) == (name, check))


def test_a_remedy_that_helps_is_accepted_with_every_claim_and_comes_back_as_a_subject(
    tmp_path: Path,
) -> None:
    log = tmp_path / "proof.jsonl"
    found = run(toy(), cooled, proof_log=log)
    candidate = only(found)
    assert (candidate.state, candidate.target) == ("accepted", "claimed_too_much")
    assert candidate.strength == 1.0
    assert [a.strength for a in candidate.attempts] == [0.3, 0.6, 1.0]
    assert (candidate.sham, len(candidate.sham_attempts)) == ("shaken", 3)
    assert claims(candidate) == dict.fromkeys(
        ("these_weights", "beyond_sham", "this_remedy", "confirmed"), True
    )
    assert found.fix.exit_code == 0
    assert found.fix.complete
    assert effect(found, "claimed_too_much").effect == "helped"
    assert effect(found, "of_the_labels").effect == "untouched"
    assert effect(found, "share_wrong").non_inferior
    saved = found.subjects["cooled"]
    assert saved.weights is not None
    assert saved.weights["w"][0] == pytest.approx(1.0, abs=0.1)
    assert saved.recipe is not None
    assert json.loads(log.read_text())["mitigation"] == "cooled"
    assert found.fix.openings[0].rows == 2000


def test_a_remedy_that_trains_is_held_against_as_many_trainings_with_other_seeds() -> None:
    found = run(toy(heed=1.0), less_noise)
    candidate = only(found)
    assert candidate.state == "accepted", candidate.reason
    assert "other seeds" in candidate.sham
    assert len(candidate.sham_attempts) == len(candidate.attempts) == 2
    assert "recipe: weight_decay from 5 to 0" in candidate.changes
    remedy = next(c for c in candidate.claims if c.name == "this_remedy")
    assert remedy.holds
    assert remedy.difference is not None
    assert remedy.difference.seeds == 5
    weights = found.subjects["less_noise"].weights
    assert weights is not None
    assert abs(weights["w"][1]) < 0.1


def test_harm_elsewhere_is_the_reason_for_rejecting_what_helps() -> None:
    candidate = only(run(toy(), cooled_and_confused))
    assert claims(candidate)["these_weights"]
    assert candidate.state == "rejected"
    assert candidate.reason == "Share wrong passed before and fails after."


def test_harm_within_the_bound_and_beyond_the_margin_is_enough_to_reject() -> None:
    found = run(toy(), cooled_and_a_little_confused)
    candidate, harmed = only(found), effect(found, "share_wrong")
    assert claims(candidate)["beyond_sham"]
    assert (harmed.verdict_before, harmed.verdict_after) == ("pass", "pass")
    assert (harmed.effect, harmed.non_inferior) == ("harmed", False)
    assert candidate.state == "rejected"
    assert candidate.reason.startswith("It harms: share wrong gets worse, by up to ")
    assert found.fix.openings == ()


def test_a_strength_that_harms_on_validation_rows_is_passed_over_and_so_is_that_of_a_sham() -> None:
    candidate = only(run(toy(), cooled_or_crippled))
    weak, strong = candidate.attempts
    assert weak.value is not None
    assert strong.value is not None
    assert strong.value < weak.value, "by the target alone the crippled one would be taken"
    assert strong.reason == "share wrong passes on validation rows without it, and fails with it"
    assert (candidate.strength, weak.reason) == (0.5, "")
    assert candidate.accepted, candidate.reason
    weak, strong = candidate.sham_attempts
    assert (candidate.sham_strength, weak.reason) == (0.5, "")
    assert "share wrong" in strong.reason


def test_where_every_strength_harms_the_best_is_measured_all_the_same_and_that_is_said() -> None:
    candidate = only(run(toy(), crippled))
    best = min(candidate.attempts, key=lambda a: a.value or 0.0)
    assert candidate.strength == best.strength
    assert best.reason.endswith("tried all the same, because no strength is without such harm")
    assert all("share wrong" in attempt.reason for attempt in candidate.attempts)
    assert candidate.state == "rejected"


def test_how_much_worse_a_check_gets_on_validation_rows_is_said_with_what_is_tolerated() -> None:
    found = run(
        toy(), crippled, request=Request(requirements={"share_wrong": AtMost(0.35, "test")})
    )
    # 16 % of validation rows are wrong, then 31.2 %. Half of the distance from 16 to 35 % is tolerated.
    said = "share wrong gets worse on validation rows, by 15.2 points, where 9.5 points would be tolerated"
    assert only(found).attempts[0].reason.startswith(said)


def test_checks_that_would_train_anew_are_not_asked_for_every_strength() -> None:
    @artifact(cost="training")
    def of_other_models(test_correct: np.ndarray) -> int:
        """How many answers are wrong, as if by models of its own."""
        return int((~test_correct).sum())

    @check(challenge="surety", requires=AtMost(1.0, "test"))
    def wrong_again(of_other_models: int, test_labels: np.ndarray) -> Measurement:
        """Share of wrong answers."""
        return rate(of_other_models, len(test_labels), unit="share of rows")

    events: list[object] = []
    given = (cooled_or_crippled, of_other_models, wrong_again)
    found = run(toy(proof=500), *given, emit=events.append)
    assert effect(found, "wrong_again").difference is not None
    trained = [e for e in events if isinstance(e, Started) and e.name == "of_other_models"]
    assert len(trained) == 2, "before and after, on test rows"


def test_what_its_sham_does_as_well_is_rejected() -> None:
    candidate = only(run(toy(), no_better_than_its_sham))
    assert claims(candidate)["these_weights"]
    assert not claims(candidate)["beyond_sham"]
    assert candidate.reason.count("its sham (also cools)") == 1, "said once, and in words"
    assert "claimed too much is " in candidate.reason


def test_doing_nothing_is_rejected_and_ends_with_code_1() -> None:
    found = run(toy(), nothing_at_all)
    assert only(found).state == "rejected"
    assert "not shown to be better" in only(found).reason
    assert found.fix.exit_code == 1
    assert found.fix.openings == ()
    assert effect(found, "claimed_too_much").effect == "untouched"


def test_what_breaks_or_does_not_apply_leaves_the_rest_going() -> None:
    found = run(toy(), breaks, not_here, cooled)
    by_name = {c.mitigation: c for c in found.fix.candidates}
    assert by_name["breaks"].state == "error"
    assert "ZeroDivisionError" in (by_name["breaks"].traceback or "")
    assert by_name["not_here"].state == "not_applicable"
    assert by_name["not_here"].reason == "this is a remedy for texts"
    assert by_name["cooled"].accepted
    assert found.fix.exit_code == 0


def test_a_training_that_diverges_is_one_strength_less() -> None:
    candidate = only(run(toy(), diverges))
    assert candidate.strength == 0.5
    assert candidate.attempts[1].value is None
    assert "NaN" in candidate.attempts[1].reason
    assert candidate.state == "rejected"


def test_nothing_to_repair_is_no_failure() -> None:
    healthy = toy(recipe=Recipe(learning_rate=1.0, weight_decay=0.0))
    found = run(healthy, cooled)
    assert (found.fix.candidates, found.fix.exit_code) == ((), 0)
    assert any("nothing to repair" in note for note in found.fix.notes)
    asked = run(healthy, cooled, only=("cooled",))
    assert only(asked).state == "rejected"
    assert asked.fix.exit_code == 1


def test_only_names_mitigations_checks_or_challenges() -> None:
    both = (cooled, less_noise)
    sick = toy(heed=1.0)
    named = [
        [c.mitigation for c in run(sick, *both, only=(name,)).fix.candidates][:1]
        for name in ("less_noise", "surety", "share_wrong")
    ]
    assert named == [["less_noise"], ["cooled"], ["cooled"]]
    with pytest.raises(UserError, match=r'"less_noice".*less_noise'):
        run(sick, *both, only=("less_noice",))


def test_a_failing_check_without_remedy_is_told() -> None:
    found = run(toy(), less_noise)
    assert found.fix.candidates == ()
    assert found.fix.exit_code == 1
    assert any("No repair is known for claimed too much" in n for n in found.fix.notes)


def test_nothing_is_repaired_where_nothing_is_required() -> None:
    candidate = only(run(toy(), for_a_note, only=("for_a_note",)))
    assert candidate.state == "not_applicable"
    assert "[requirements]" in candidate.reason


def test_two_accepted_remedies_are_measured_together() -> None:
    found = run(toy(heed=1.0), cooled, less_noise)
    both = found.fix.candidates[-1]
    assert both.parts == ("less_noise", "cooled")
    assert both.mitigation == "less_noise + cooled"
    assert both.state in ("accepted", "rejected")
    assert effect(found, "claimed_too_much", both.mitigation).difference is not None
    assert both.sham == "the same model trained again with other seeds + shaken"
    assert {e.mitigation for e in found.fix.effects} == {"cooled", "less_noise", both.mitigation}


@artifact(stored=False)
def network() -> Network:
    """Architecture, where none was given."""
    return Network(tiny, "toy")


@artifact(stored=False)
def recipe() -> Recipe:
    """How it is trained, where nobody said."""
    return Recipe(learning_rate=5.0, weight_decay=0.0)


@mitigation(targets="share_wrong", strengths=(1.0,))
def silent_where_unsure(subject: Subject, strength: float) -> Subject:
    """Give no answer below a threshold."""
    return replace(subject, decision_rule=DecisionRule("abstain", 0.7))


@mitigation(targets="share_wrong", strengths=(1.0,))
def answers_in_sets(subject: Subject, strength: float) -> Subject:
    """Give all classes above a threshold."""
    return replace(subject, decision_rule=DecisionRule("set", 0.3))


def workshop(subject: Subject, *more: Any) -> Workshop:
    registry = Registry.of(*BASE, *more)
    return Workshop(subject, registry, Store(None, records=STORED), Request(), MEANS)


def test_what_a_second_remedy_leaves_alone_stays_that_of_the_subject() -> None:
    """A network and a recipe that are only lent to a remedy would change the identity of the weights."""
    shop = workshop(
        toy(network=None, recipe=None), network, recipe, silent_where_unsure, answers_in_sets
    )
    known = shop.registry.mitigations
    once = shop.applied(known["silent_where_unsure"], 1.0)
    twice = shop.applied(known["answers_in_sets"], 1.0, once)
    assert (twice.network, twice.recipe) == (None, None)
    assert shop.key(twice) == shop.key(shop.applied(known["answers_in_sets"], 1.0))


def test_of_two_remedies_that_decide_otherwise_no_pair_is_made_as_one_undoes_the_other() -> None:
    shop = workshop(toy(), silent_where_unsure, answers_in_sets, cooled)
    one, other, third = (
        tried(shop, ProofLog(None), shop.registry.mitigations[name], "share_wrong", ["share_wrong"])
        for name in ("silent_where_unsure", "answers_in_sets", "cooled")
    )
    assert best_two([one, other], None) is None
    pair = best_two([one, other, third], None)
    assert pair is not None
    assert third in pair


def test_the_control_of_two_remedies_is_both_of_their_shams() -> None:
    found = run(toy(heed=1.0), cooled_more_than_its_sham, less_noise)
    both = found.fix.candidates[-1]
    assert both.sham == "the same model trained again with other seeds + cools_somewhat"
    by_name = {claim.name: claim.difference for claim in both.claims}
    these, beyond = by_name["these_weights"], by_name["beyond_sham"]
    assert these is not None
    assert beyond is not None
    # Trained again alone it would be as far off as the original.
    assert abs(beyond.value) < 0.9 * abs(these.value)


def test_without_proof_rows_folds_of_the_test_rows_confirm() -> None:
    found = run(toy(proof=0), cooled)
    confirmed = next(c for c in only(found).claims if c.name == "confirmed")
    assert (confirmed.rows, confirmed.holds) == ("test, cross-fitted", True)
    assert "in 5 of 5 folds" in confirmed.statement
    assert found.fix.openings == ()
    assert any("cross-fitting" in note for note in found.fix.notes)


def test_proof_rows_that_were_opened_before_ask_for_more(tmp_path: Path) -> None:
    log = tmp_path / "proof.jsonl"
    first = run(toy(), cooled, proof_log=log).fix.openings[0]
    again = run(toy(), cooled, proof_log=log).fix.openings[0]
    assert (first.time, again.time) == (1, 1)  # the same look shows nothing new
    other = run(toy(heed=0.1), cooled, proof_log=log)
    assert other.fix.openings[0].time == 2
    claim = next(c for c in only(other).claims if c.name == "confirmed")
    assert claim.difference is not None
    assert claim.difference.level == pytest.approx(0.975)
    assert "opened once before" in claim.statement


def test_a_look_that_cannot_be_logged_is_not_taken_and_what_was_measured_is_kept(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    found = run(toy(), cooled, nothing_at_all, proof_log=tmp_path / "file" / "proof.jsonl")
    by_name = {c.mitigation: c for c in found.fix.candidates}
    assert by_name["cooled"].state == "rejected"
    assert "so they stay sealed. Make the file writable" in by_name["cooled"].reason
    assert claims(by_name["cooled"]) == {
        "these_weights": True,
        "beyond_sham": True,
        "this_remedy": True,
        "confirmed": False,
    }
    assert effect(found, "claimed_too_much", "cooled").effect == "helped"
    assert "not shown to be better" in by_name["nothing_at_all"].reason, "the rest is tried"
    assert (found.fix.exit_code, found.fix.complete, found.fix.openings) == (2, False, ())


def started(events: list[object]) -> set[str]:
    return {event.name for event in events if isinstance(event, Started)}


def test_a_second_run_trains_nothing(tmp_path: Path) -> None:
    events: list[object] = []
    given = {"request": Request(only=("surety",)), "emit": events.append}
    stores = [Store(tmp_path, records=STORED) for _ in range(2)]
    first = run(toy(heed=1.0), cooled, less_noise, store=stores[0], **given).fix
    assert {"weights", "reseeded_weights"} <= started(events)
    events.clear()
    again = run(toy(heed=1.0), cooled, less_noise, store=stores[1], **given).fix
    assert started(events) <= {"trainer"}  # what is live is never kept
    assert again.candidates == first.candidates
    assert again.effects == first.effects


def test_without_validation_rows_it_is_refused_with_the_way_out() -> None:
    whole = toy()
    splits = {name: s for name, s in whole.splits.items() if name != "validation"}
    with pytest.raises(UserError, match="--validation FILE"):
        run(replace(whole, splits=splits), cooled)


def test_without_a_recipe_nothing_is_claimed_of_the_remedy() -> None:
    trained = toy(weights={"w": np.array([5.0, 0.0])}, recipe=None)
    candidate = only(run(trained, cooled))
    assert candidate.accepted
    remedy = next(c for c in candidate.claims if c.name == "this_remedy")
    assert not remedy.holds
    assert "give a Recipe" in remedy.statement


def test_few_seeds_claim_nothing_of_the_remedy() -> None:
    candidate = only(run(toy(), cooled, seeds=3))
    assert "needs 5" in next(c for c in candidate.claims if c.name == "this_remedy").statement


def unlike() -> Any:  # Any: an nn.Module
    import torch
    from torch import nn

    torch.manual_seed(time.time_ns() % 2**31)
    return nn.Linear(2, 1)


def test_a_factory_that_cannot_be_repeated_is_noted_and_the_remedy_not_claimed() -> None:
    assert starts_alike(Network(tiny))
    assert not starts_alike(Network(unlike))
    found = run(toy(network=Network(unlike, "unlike")), cooled)
    assert any("other initial weights" in note for note in found.fix.notes)
    statement = next(c for c in only(found).claims if c.name == "this_remedy").statement
    assert "cannot be repeated" in statement


def test_a_budget_that_is_used_up_leaves_a_whole_record_that_says_so() -> None:
    found = run(toy(), cooled, request=Request(budget=0.0)).fix
    assert (found.exit_code, found.complete) == (2, False)
    assert found.findings


class Stop:
    """Interrupts once the second remedy begins."""

    def __call__(self, event: object) -> None:
        if getattr(event, "mitigation", "") == "nothing_at_all":
            raise KeyboardInterrupt


def test_what_was_found_before_an_interruption_is_kept() -> None:
    found = run(toy(), cooled, nothing_at_all, emit=Stop()).fix
    states = {c.mitigation: c.state for c in found.candidates}
    assert states == {"cooled": "accepted", "nothing_at_all": "not_run"}
    assert (found.exit_code, found.complete) == (2, False)
    assert "interrupted" in found.candidates[1].reason


def test_a_full_disk_is_noted_and_the_fix_goes_on(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", records=STORED)
    store.problem = "disk full"
    found = run(toy(), cooled, store=store)
    assert only(found).accepted
    assert any("disk full" in note for note in found.fix.notes)


def test_one_example_per_class_ends_in_words_and_not_in_a_traceback() -> None:
    few = {name: Split(np.eye(2), np.array([0, 1])) for name in ("train", "validation", "test")}
    found = run(toy(splits=few), cooled, only=("cooled",))
    assert only(found).state in ("rejected", "not_applicable")
    assert only(found).traceback is None


def test_costs_stand_before_and_after() -> None:
    candidate = only(run(toy(), cooled))
    for cost in (candidate.before, candidate.after):
        assert (cost.parameters, cost.bytes) == (2, 16)
        assert cost.training_seconds is not None


def test_changes_are_told_in_words() -> None:
    before = toy()
    train = before.splits["train"]
    after = replace(
        before.with_split("train", train.take(np.arange(40))),
        decision_rule=DecisionRule("abstain", 0.7, "at most 5 % wrong"),
    ).with_target("test", 1 - before.splits["test"].target)  # pyright: ignore
    assert changes_between(before, after) == (
        "decisions: no answer by a threshold of 0.7 (at most 5 % wrong)",
        "train rows: 40 instead of 100",
        "test rows: 2,000 targets changed",
    )
    assert changes_between(before, before) == ()


# How often luck is taken for a repair: frozen predictions, many subjects.


@check(challenge="frozen", requires=AtMost(0.15, "accuracy of at least .85"))
def mistakes(test_wrong: np.ndarray) -> Measurement:
    """Share of wrong answers."""
    return rate(int(test_wrong.sum()), len(test_wrong), unit="share of rows")


def _answering(subject: Subject, right: float, seed: int, share_redrawn: float) -> Subject:
    """Answer a share of rows rightly: the hardest are wrong, and how hard is partly luck."""
    given: dict[str, np.ndarray] = {}
    for number, name in enumerate(("validation", "test", "proof")):
        rng = np.random.default_rng([seed, number, int(subject.name)])
        hard = subject.splits[name].attributes["hard"].values
        redrawn = rng.random(len(hard)) < share_redrawn
        given[f"{name}_wrong"] = np.where(redrawn, rng.random(len(hard)), hard) >= right
    return subject.with_given(**given)


def frozen(seed: int, right: float) -> Subject:
    rng = np.random.default_rng(seed)
    splits = {
        name: Split(
            None,
            rng.integers(0, 2, n),
            {"hard": Attribute(rng.random(n))},
            np.arange(n),
            {"predicted": np.zeros(n, np.int64)},
        )
        for name, n in (("validation", 500), ("test", 1000), ("proof", 500))
    }
    subject = Subject(str(seed), Task("binary", ("no", "yes"), 1), "predictions", splits)
    complained = {f"{name}_complained": rng.random(s.n) < 0.2 for name, s in splits.items()}
    return _answering(subject, right, 1, 0.0).with_given(**complained)


@mitigation(targets="mistakes", strengths=(0.5, 1.0))
def left_as_it_is(subject: Subject, strength: float) -> Subject:
    """Return the subject itself."""
    return subject


@mitigation(targets="mistakes", strengths=(0.5, 1.0))
def other_luck(subject: Subject, strength: float) -> Subject:
    """Be as good as before, on other rows."""
    return _answering(subject, 0.92, 1000 + int(10 * strength), 0.5)


@mitigation(targets="mistakes", strengths=(0.5, 1.0))
def subtly_worse(subject: Subject, strength: float) -> Subject:
    """Be right in .88 instead of .92."""
    return _answering(subject, 0.88, 2000 + int(10 * strength), 0.3)


@check(challenge="frozen", requires=AtMost(0.1, "test"))
def complaints(test_complained: np.ndarray) -> Measurement:
    """Share of rows with a complaint."""
    return rate(int(test_complained.sum()), len(test_complained), unit="share of rows")


@mitigation(targets="complaints", strengths=(0.5, 1.0))
def fewer_complaints_for_subtly_more_mistakes(subject: Subject, strength: float) -> Subject:
    """Bring complaints from .2 to .05, and accuracy from .92 to .88."""
    fewer = {
        f"{name}_complained": subject.given[f"{name}_complained"]
        & (np.arange(subject.splits[name].n) % 4 == 0)
        for name in ("validation", "test", "proof")
    }
    return _answering(subject, 0.88, 4000 + int(10 * strength), 0.3).with_given(**fewer)


@mitigation(targets="complaints", strengths=(0.25, 0.5, 1.0))
def fewer_complaints_and_at_full_strength_many_mistakes(
    subject: Subject, strength: float
) -> Subject:
    """Bring complaints from .2 to .05 at half strength; to 0 at full, and accuracy from .92 to .75."""
    keep = {0.25: 2, 0.5: 4, 1.0: 10**9}[strength]
    fewer = {
        f"{name}_complained": subject.given[f"{name}_complained"]
        & (np.arange(subject.splits[name].n) % keep == keep - 1)
        for name in ("validation", "test", "proof")
    }
    if strength < 1.0:
        return subject.with_given(**fewer)
    return _answering(subject, 0.75, 5000, 0.3).with_given(**fewer)


@mitigation(targets="complaints", strengths=(0.25, 0.5, 1.0))
def luck_in_all_things(subject: Subject, strength: float) -> Subject:
    """Be as good as before in answers and complaints, on other rows: the strength is chosen among luck."""
    rng = np.random.default_rng([int(subject.name), int(100 * strength)])
    other = {
        f"{name}_complained": rng.random(subject.splits[name].n) < 0.2
        for name in ("validation", "test", "proof")
    }
    return _answering(subject, 0.92, 6000 + int(100 * strength), 0.5).with_given(**other)


@mitigation(targets="mistakes", strengths=(0.5, 1.0))
def truly_better(subject: Subject, strength: float) -> Subject:
    """Be right in .97 instead of .92."""
    return _answering(subject, 0.92 + 0.05 * strength, 3000 + int(10 * strength), 0.2)


def accepted(seeds: Iterator[int] | range, remedy: Any) -> int:
    registry = Registry.of(mistakes, complaints, remedy)
    name = remedy.__name__
    return sum(
        fix(
            frozen(seed, 0.92),
            registry,
            store=Store(None, records=STORED),
            means=MEANS,
            only=(name,),
        )
        .fix.candidates[0]
        .accepted
        for seed in seeds
    )


@pytest.mark.slow
def test_nothing_luck_and_subtle_harm_are_accepted_in_a_twentieth_of_runs_at_most() -> None:
    runs = range(100)
    counts = {
        remedy.__name__: accepted(runs, remedy)
        for remedy in (
            left_as_it_is,
            other_luck,
            subtly_worse,
            fewer_complaints_for_subtly_more_mistakes,
            luck_in_all_things,
            truly_better,
            fewer_complaints_and_at_full_strength_many_mistakes,
        )
    }
    said = f"accepted of {len(runs)}: {counts}"
    assert counts["left_as_it_is"] <= 5, said
    assert counts["other_luck"] <= 5, said
    assert counts["subtly_worse"] <= 5, said
    assert counts["fewer_complaints_for_subtly_more_mistakes"] <= 5, said
    assert counts["luck_in_all_things"] <= 5, said
    assert counts["truly_better"] >= 80, said
    # Chosen by the target alone it was the full strength each time, and that was rejected: 0 of 100.
    assert counts["fewer_complaints_and_at_full_strength_many_mistakes"] >= 80, said
