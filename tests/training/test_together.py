"""Which jobs are trained together, and by which way."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor, nn

from roadworthy.engine import Registry, Store, artifact, compute
from roadworthy.subject import Augmentation, Network, Recipe
from roadworthy.training import choice, together
from roadworthy.training.jobs import Diverged, Examples, Job
from roadworthy.training.loop import train
from roadworthy.training.together import train_together

RNG = np.random.default_rng(0)
ROWS = Examples(RNG.normal(size=(64, 6)), RNG.integers(0, 2, 64))
RECIPE = Recipe(epochs=20, batch_size=16, learning_rate=1e-3, patience=None)
NETWORK = Network(lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2)))


def jobs(count: int, network: Network = NETWORK, **changes: object) -> list[Job]:
    recipe = replace(RECIPE, **changes)  # type: ignore[arg-type]
    return [Job(network, replace(recipe, seed=seed), ROWS) for seed in range(count)]


def chunks(family: list[Job]) -> list[list[int]]:
    return sorted(together._chunks(family))


def test_equal_architectures_and_settings_go_together_and_others_apart() -> None:
    other = Network(lambda: nn.Linear(6, 2))
    family = [*jobs(3), *jobs(3, other), *jobs(3, batch_size=8)]
    assert chunks(family) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert chunks([*jobs(3), *jobs(3, dropout=0.5)]) == [[0, 1, 2], [3, 4, 5]]
    noisy = jobs(3, augmentation=(Augmentation("noise", 0.1),))
    assert chunks([*jobs(3), *noisy]) == [[0, 1, 2], [3], [4], [5]]


def test_fleets_are_of_even_size_and_small_where_models_are_large() -> None:
    assert [len(chunk) for chunk in chunks(jobs(40))] == [20, 20]
    wide = Network(lambda: nn.Sequential(nn.Linear(6, 3_000), nn.Linear(3_000, 3_000)))
    # 9 million parameters, 6 numbers of 4 bytes for each: 216 MB of 1,074
    assert together._most(jobs(1, wide)[0]) == 4


@pytest.mark.parametrize("fleet", [True, False])
def test_both_ways_give_the_same_weights(fleet: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "fleet_is_faster", lambda _: fleet)
    family = jobs(4)
    found = dict(train_together(family))
    for position, job in enumerate(family):
        expected, weights = train(job.network, job.recipe, job.training), found[position]
        assert not isinstance(weights, Diverged)
        assert all(weights[n] == pytest.approx(expected[n], abs=1e-5) for n in expected)


class Branching(nn.Linear):
    def forward(self, inputs: Tensor) -> Tensor:
        outputs = super().forward(inputs)
        return outputs * 2 if outputs.sum() > 0 else outputs


def test_what_cannot_be_run_as_one_goes_to_the_loop_and_the_reason_is_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    family = jobs(3, Network(lambda: Branching(6, 2)), epochs=500)
    record = choice.time_both(family)
    assert record["choice"] == "loop"
    assert "vmap" in record["reason"]
    monkeypatch.setattr(together, "fleet_is_faster", lambda _: True)
    short = [replace(job, recipe=RECIPE) for job in family]
    assert sorted(dict(train_together(short))) == [0, 1, 2]


def test_timing_chooses_the_fleet_only_where_it_wins_clearly() -> None:
    record = choice.time_both(jobs(4, epochs=500))
    assert record["choice"] == (
        "fleet" if record["fleet"] * choice.GAIN < record["loop"] else "loop"
    )
    assert not choice.fleet_is_faster(jobs(4, epochs=2))  # 8 steps are not worth timing


def test_the_choice_is_kept_and_a_later_run_times_nothing(tmp_path: Path) -> None:
    built: list[int] = []

    def counted() -> nn.Module:
        built.append(1)
        return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))

    family = jobs(4, Network(counted), epochs=500)

    @artifact(stored=False)
    def picked() -> bool:
        """Whether the fleet is taken."""
        return choice.fleet_is_faster(family)

    def once() -> tuple[object, int]:
        built.clear()
        found = compute(Registry.of(picked), {}, ["picked"], store=Store(tmp_path))["picked"]
        assert found.state == "done", found.reason
        return found.value, len(built)

    (first, timed), (again, recalled) = once(), once()
    assert again == first
    # Beside what knowing the architecture takes: one network for the loop, four for the fleet.
    assert timed - recalled == 5


class Slow(nn.Linear):
    def forward(self, inputs: Tensor) -> Tensor:
        for _ in range(1_000):
            inputs = inputs + 0
        return super().forward(inputs)


def test_a_fleet_is_not_timed_where_a_step_is_long_and_the_training_short() -> None:
    record = choice.time_both(jobs(3, Network(lambda: Slow(6, 2))))
    assert (record["choice"], record["fleet"], record["reason"]) == (
        "loop",
        None,
        "mostly arithmetic",
    )


def test_the_others_are_there_when_one_diverges_by_either_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    family = jobs(4, optimizer="sgd")
    family[1] = replace(family[1], recipe=replace(family[1].recipe, learning_rate=1e38))
    for fleet in (True, False):
        monkeypatch.setattr(together, "fleet_is_faster", lambda _, fleet=fleet: fleet)
        found = dict(train_together(family))
        assert [isinstance(found[k], Diverged) for k in range(4)] == [False, True, False, False]


def test_what_is_done_is_there_before_the_rest_is_begun() -> None:
    stream = train_together([*jobs(1), *jobs(1, Network(lambda: 1 / 0))])  # type: ignore[arg-type, return-value]
    assert next(stream)[0] == 0
    with pytest.raises(ZeroDivisionError):
        next(stream)
