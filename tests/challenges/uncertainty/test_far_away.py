"""A guard is nothing within its reach and at strength 0, shrinks logits beyond it, and travels with the model."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from roadworthy.challenges.uncertainty import far_away
from roadworthy.challenges.uncertainty import out_of_distribution as ood
from roadworthy.errors import NotApplicable
from roadworthy.subject import Network, Predictor, Split, Subject, Task

TASK = Task("multiclass", ("a", "b", "c"))


def build():  # type: ignore[no-untyped-def]
    from torch import nn

    return nn.Sequential(nn.Linear(5, 12), nn.ReLU(), nn.Linear(12, 3))


def fresh():  # type: ignore[no-untyped-def]
    import torch

    torch.manual_seed(3)
    return build().eval()


def predictor_of(module, black_box: bool = False) -> Predictor:  # type: ignore[no-untyped-def]
    import torch

    def call(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return module(torch.from_numpy(np.asarray(x, np.float32))).numpy()

    return Predictor(call, "logits", "made up", None if black_box else module)


def rows(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 5)).astype(np.float32)


def given(black_box: bool = False, kind: str = "logits"):  # type: ignore[no-untyped-def]
    predictor = predictor_of(fresh(), black_box)
    x = rows(300, 0)
    reference = ood.novelty_reference(
        predictor, x, kind, "array", np.random.default_rng(1), np.arange(300) % 3
    )
    validation = rows(200, 1)
    weights = {name: value.numpy() for name, value in fresh().state_dict().items()}
    return {
        "validation_inputs": validation,
        "validation_logits": predictor(validation).astype(np.float32),
        "novelty_reference": reference,
        "output_kind": kind,
        "predictor": predictor,
        "network": None if black_box else Network(build),
        "weights": None if black_box else weights,
    }


def subject() -> Subject:
    return Subject(
        "made up", TASK, "array", {"train": Split(rows(300, 0), np.zeros(300, np.int64))}
    )


def loaded(repaired: Subject):  # type: ignore[no-untyped-def]
    import torch

    assert repaired.network is not None
    assert repaired.weights is not None
    module = repaired.network.build()
    module.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in repaired.weights.items()})
    return module.eval()


def test_at_strength_0_nothing_is_changed() -> None:
    parts, one, rng = given(), subject(), np.random.default_rng(0)
    assert far_away.abstention_far_away(one, 0.0, **parts) is one
    assert far_away.abstention_at_random_places(one, 0.0, rng, **parts) is one
    named = (
        "network",
        "weights",
        "output_kind",
        "predictor",
        "validation_inputs",
        "novelty_reference",
    )
    needs = {name: parts[name] for name in named}
    assert far_away.surer_of_unseen_inputs(one, 0.0, rng, **needs) is one


@pytest.mark.parametrize("strength", [0.05, 0.1])
def test_the_stated_share_of_ordinary_rows_is_held_back(strength: float) -> None:
    parts = given()
    repaired = far_away.abstention_far_away(subject(), strength, **parts)
    rule = repaired.decision_rule
    assert rule is not None
    logits = predictor_of(loaded(repaired))(parts["validation_inputs"]).astype(np.float64)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    held = p.max(axis=1) < rule.threshold - 1e-6
    assert held.mean() == pytest.approx(strength, abs=0.006)


def test_logits_shrink_beyond_the_reach_by_the_distance_of_scikit_learn() -> None:
    import torch

    parts = given()
    module, plain = loaded(far_away.abstention_far_away(subject(), 0.1, **parts)), fresh()
    x = np.concatenate([rows(50, 7), 20 * rows(50, 8)])
    with torch.no_grad():
        inner = plain[:2](torch.from_numpy(x)).numpy()
        before, after = plain(torch.from_numpy(x)).numpy(), module(torch.from_numpy(x)).numpy()
    unit = inner / np.maximum(np.linalg.norm(inner, axis=1, keepdims=True), 1e-12)
    space = parts["novelty_reference"]["spaces"]["embeddings"]["neighbours"]
    distance = NearestNeighbors(n_neighbors=10).fit(space).kneighbors(unit)[0][:, -1]
    beyond = np.maximum(distance / float(module.reach) - 1, 0)
    np.testing.assert_allclose(after, before * np.exp(-10 * beyond)[:, None], rtol=2e-2, atol=1e-4)
    assert (beyond == 0).any()
    assert (beyond > 0).any()
    np.testing.assert_array_equal(before.argmax(axis=1), after.argmax(axis=1))


def test_in_training_it_is_the_module_that_it_was() -> None:
    import torch

    module = loaded(far_away.abstention_far_away(subject(), 0.1, **given())).train()
    x = torch.from_numpy(100 * rows(9, 2))
    torch.testing.assert_close(module(x), fresh()(x))


def test_a_black_box_is_guarded_by_its_inputs() -> None:
    parts = given(black_box=True)
    repaired = far_away.abstention_far_away(subject(), 0.05, **parts)
    assert repaired.predictor is not None
    near, far = rows(100, 5), 30 * rows(100, 5)
    before, after = parts["predictor"](near), repaired.predictor(near)
    assert np.isclose(before, after, rtol=1e-4, atol=1e-6).all(axis=1).mean() > 0.85
    assert np.abs(repaired.predictor(far)).max() < 1e-3
    assert repaired.network is None


def test_a_sham_keeps_distance_from_other_places_and_the_fault_makes_sure() -> None:
    parts, rng = given(), np.random.default_rng(0)
    sham = far_away.abstention_at_random_places(subject(), 0.1, rng, **parts)
    true = far_away.abstention_far_away(subject(), 0.1, **parts)
    assert sham.weights is not None
    assert true.weights is not None
    assert sham.weights["neighbours"].shape == true.weights["neighbours"].shape
    assert not np.allclose(sham.weights["neighbours"], true.weights["neighbours"])
    named = (
        "network",
        "weights",
        "output_kind",
        "predictor",
        "validation_inputs",
        "novelty_reference",
    )
    broken = far_away.surer_of_unseen_inputs(
        subject(), 2.0, rng, **{name: parts[name] for name in named}
    )
    x = rows(100, 9)
    before, after = parts["predictor"](x), predictor_of(loaded(broken))(x)
    assert (np.abs(after) >= np.abs(before) * 0.999).all()
    assert (np.abs(after) > np.abs(before) * 1.2).any()


def test_what_cannot_be_guarded_says_so() -> None:
    with pytest.raises(NotApplicable, match="no confidence to lower"):
        far_away.abstention_far_away(subject(), 0.1, **{**given(), "output_kind": "values"})
    few = given()
    few["validation_inputs"] = few["validation_inputs"][:5]
    with pytest.raises(NotApplicable, match="5 validation rows"):
        far_away.abstention_far_away(subject(), 0.1, **few)
