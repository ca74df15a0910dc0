"""A run: what is computed, in which order, what an error does to the rest, what is kept."""

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

from roadworthy.engine import (
    Failed,
    Missing,
    NotKept,
    Planned,
    Registry,
    Started,
    Store,
    advance,
    artifact,
    check,
    compute,
    pause,
)
from roadworthy.engine.temporary import Temporary
from roadworthy.errors import NotApplicable, UserError


@artifact()
def base(numbers):
    return numbers * 2


@artifact()
def fragile(base):
    raise ValueError("no such luck")


@artifact()
def above_fragile(fragile):
    return 1


@artifact()
def absent(base):
    raise NotApplicable("there is one class; two are needed")


@artifact()
def above_missing(labels):
    return 1


@check(challenge="x")
def fine(base):
    return float(base.sum())


@check(challenge="x")
def breaks(base):
    raise RuntimeError("oh dear")


@check(challenge="x")
def leans_on_fragile(above_fragile, fine_part=None):
    return 1


@check(challenge="x")
def leans_on_absent(absent):
    return 1


@check(challenge="x")
def bears_absent(base, absent=None, labels=None):
    return absent is None and labels is None


@check(challenge="x")
def bears_no_failure(fragile=None):
    return 1


@check(challenge="x")
def leans_on_missing(above_missing):
    return 1


REGISTRY = Registry.of(
    *(base, fragile, above_fragile, absent, above_missing, fine, breaks, leans_on_fragile),
    *(leans_on_absent, bears_absent, bears_no_failure, leans_on_missing),
)
FIELDS = {
    "numbers": np.arange(4.0),
    "labels": Missing("missing_input", "no labels; give some with --target"),
}


@pytest.mark.parametrize("kind", ["file", "memory"])
@pytest.mark.parametrize("time", ["first", "again"])
def test_what_breaks_stays_by_itself_and_the_rest_is_decided(kind, time, tmp_path: Path, record):
    store = Store(tmp_path / "s" if kind == "file" else None)
    if time == "again":
        compute(REGISTRY, FIELDS, list(REGISTRY.checks), store=store)
    found = compute(REGISTRY, FIELDS, list(REGISTRY.checks), store=store, emit=record)
    assert {name: outcome.state for name, outcome in found.items()} == {
        "fine": "done",
        "breaks": "error",
        "leans_on_fragile": "dependency_failed",
        "leans_on_absent": "not_applicable",
        "bears_absent": "done",
        "bears_no_failure": "dependency_failed",
        "leans_on_missing": "missing",
    }
    assert found["fine"].value == 12.0
    assert found["fine"].from_store is (time == "again")
    assert found["bears_absent"].value is True
    assert found["breaks"].reason == "RuntimeError: oh dear"
    assert 'raise RuntimeError("oh dear")' in (found["breaks"].traceback or "")
    assert "isolation.py" not in (found["breaks"].traceback or "")
    assert found["leans_on_fragile"].reason == "fragile failed: ValueError: no such luck"
    assert 'raise ValueError("no such luck")' in (found["leans_on_fragile"].traceback or "")
    assert found["leans_on_absent"].reason == "there is one class; two are needed"
    assert found["leans_on_missing"].code == "missing_input"
    assert found["leans_on_missing"].reason == "no labels; give some with --target"
    failed = [e.name for e in record.events if isinstance(e, Failed)]
    assert sorted(failed) == ["breaks", "fragile"], (
        "a failure is never stored, and tried once a run"
    )
    assert "above_fragile" not in [e.name for e in record.events if isinstance(e, Started)]
    assert record.computed == (
        [] if time == "again" else ["base", "fine", "absent", "bears_absent"]
    )


def test_an_error_of_the_user_is_told_apart_and_has_no_traceback():
    @artifact()
    def outputs(numbers):
        raise UserError("The model gives 3 outputs for 2 classes. Give it 2.")

    @check(challenge="x")
    def uses(outputs):
        return 1

    found = compute(Registry.of(outputs, uses), FIELDS, ["outputs", "uses"])
    assert (found["outputs"].state, found["outputs"].code) == ("error", "user_error")
    assert (found["uses"].state, found["uses"].code) == ("dependency_failed", "user_error")
    assert (
        found["uses"].reason
        == "outputs failed: The model gives 3 outputs for 2 classes. Give it 2."
    )
    assert found["outputs"].traceback is None


def test_a_check_that_exits_the_interpreter_or_recurses_for_ever_is_an_error():
    @check(challenge="x")
    def exits(numbers):
        sys.exit(3)

    @check(challenge="x")
    def recurses(numbers):
        return recurses(numbers)

    found = compute(Registry.of(exits, recurses), FIELDS, ["exits", "recurses"])
    assert [o.state for o in found.values()] == ["error", "error"]


def test_a_result_that_cannot_be_kept_is_an_error_in_memory_too():
    @check(challenge="x")
    def returns_a_set(numbers):
        return {1, 2}

    (found,) = compute(Registry.of(returns_a_set), FIELDS, ["returns_a_set"]).values()
    assert found.state == "error"
    assert "builtins.set" in (found.reason or "")


def test_a_check_that_writes_into_its_input_is_an_error_and_harms_nobody():
    @check(challenge="x")
    def a_vandal(numbers, base):
        numbers[0] = 100

    @check(challenge="x")
    def b_vandal(base):
        base[0] = 100

    numbers = np.arange(4.0)
    registry = Registry.of(base, fine, a_vandal, b_vandal)
    found = compute(registry, {"numbers": numbers}, ["a_vandal", "b_vandal", "fine"])
    assert found["a_vandal"].state == found["b_vandal"].state == "error"
    assert found["fine"].value == 12.0
    assert numbers[0] == 0
    assert numbers.flags.writeable


def test_arrays_go_into_torch_without_a_warning():
    @check(challenge="x")
    def by_torch(numbers):
        import torch

        return float(torch.from_numpy(numbers).sum())

    assert compute(Registry.of(by_torch), FIELDS, ["by_torch"])["by_torch"].value == 6.0


def test_nothing_is_computed_again_and_only_what_is_asked_for_is_read(tmp_path: Path, record):
    names = ["fine", "bears_absent"]
    compute(REGISTRY, FIELDS, names, store=Store(tmp_path))
    compute(REGISTRY, FIELDS, names, store=Store(tmp_path), emit=record)
    assert record.computed == []
    assert record.reused == names
    assert record.events[0] == Planned(total=2, stored=2)


def test_only_the_fields_that_are_needed_are_hashed():
    class Explosive:
        def __roadworthy_identity__(self):
            raise AssertionError("hashed, but not needed")

    found = compute(REGISTRY, {**FIELDS, "other": Explosive()}, ["fine"])
    assert found["fine"].state == "done"


def test_what_has_no_identity_is_computed_each_time_never_kept_and_counted(tmp_path: Path, record):
    fields = {"numbers": np.random.default_rng(0)}

    @artifact()
    def base(numbers):
        return float(numbers.random())

    @check(challenge="x")
    def fine(base):
        return base

    registry = Registry.of(base, fine)
    first = compute(registry, fields, ["fine"], store=Store(tmp_path), emit=record)["fine"]
    again = compute(registry, fields, ["fine"], store=Store(tmp_path), emit=record)["fine"]
    assert first.value != again.value
    assert record.computed == ["base", "fine"] * 2
    assert not list(tmp_path.rglob("*.safetensors"))
    planned = [e for e in record.events if isinstance(e, Planned)]
    assert all(len(p.unknown) == 2 for p in planned)
    assert "numpy.random" in planned[0].unknown[0]


def test_a_live_object_is_made_only_when_somebody_needs_it(tmp_path: Path, record):
    @artifact(stored=False)
    def model(numbers):
        return lambda x: x + len(numbers)

    @check(challenge="x")
    def applied(model):
        return model(1)

    @check(challenge="x")
    def other(model):
        return model(2)

    registry = Registry.of(model, applied, other)
    assert compute(registry, FIELDS, ["applied"], store=Store(tmp_path))["applied"].value == 5
    compute(registry, FIELDS, ["applied"], store=Store(tmp_path), emit=record)
    assert record.computed == []
    found = compute(registry, FIELDS, ["applied", "other"], store=Store(tmp_path), emit=record)
    assert record.computed == ["model", "other"]
    assert found["other"].value == 6
    assert compute(registry, FIELDS, ["model"])["model"].value(1) == 5


def test_a_value_is_let_go_when_nobody_needs_it_any_more():
    alive = []

    class Heavy:
        pass

    @artifact(stored=False)
    def heavy(numbers):
        made = Heavy()
        alive.append(weakref.ref(made))
        return made

    @artifact()
    def a_reads(heavy):
        return 1

    @artifact()
    def b_looks(a_reads):
        gc.collect()
        return alive[0]() is None

    @check(challenge="x")
    def was_let_go(b_looks):
        return b_looks

    registry = Registry.of(heavy, a_reads, b_looks, was_let_go)
    assert compute(registry, FIELDS, ["was_let_go"])["was_let_go"].value is True


def test_where_a_need_does_not_apply_the_dear_rest_is_not_computed(record):
    @artifact(cost="training")
    def dear(numbers):
        return 1

    @check(challenge="x")
    def needs_both(dear, absent):
        return 1

    registry = Registry.of(dear, absent, base, needs_both)
    (found,) = compute(registry, FIELDS, ["needs_both"], emit=record).values()
    assert found.state == "not_applicable"
    assert "dear" not in record.computed


def make_costly():
    @artifact(cost="training")
    def weights(numbers):
        return 0

    @artifact(cost="forward")
    def outputs(numbers):
        return 1

    @check(challenge="x")
    def a_trained(weights):
        return 2

    @check(challenge="x")
    def b_run(outputs):
        return 3

    @check(challenge="x")
    def c_light(base):
        return 4

    return Registry.of(base, weights, outputs, a_trained, b_run, c_light)


def test_the_cheapest_come_first_counting_what_is_in_the_store(tmp_path: Path, record):
    registry = make_costly()
    names = list(registry.checks)
    found = compute(registry, FIELDS, names, emit=record)
    assert record.computed == ["base", "c_light", "outputs", "b_run", "weights", "a_trained"]
    assert list(found) == names, "in the order that was asked for"
    compute(registry, FIELDS, ["weights"], store=Store(tmp_path))
    record.events.clear()
    compute(registry, FIELDS, names, store=Store(tmp_path), emit=record)
    assert record.computed == ["a_trained", "base", "c_light", "outputs", "b_run"]


def test_what_does_not_fit_into_the_budget_is_told_and_what_is_stored_costs_nothing(tmp_path: Path):
    registry = make_costly()
    compute(registry, FIELDS, ["c_light"], store=Store(tmp_path))
    names = list(registry.checks)
    found = compute(registry, FIELDS, names, store=Store(tmp_path), budget=0.0)
    assert [found[n].state for n in names] == ["budget", "budget", "done"]
    assert "--budget" in (found["b_run"].reason or "")
    found = compute(registry, FIELDS, names, store=Store(tmp_path), budget=60.0)
    assert {o.state for o in found.values()} == {"done"}


def test_an_interrupt_leaves_what_is_done_and_the_next_run_goes_on(tmp_path: Path, record):
    @check(challenge="x")
    def m_interrupts(base):
        raise KeyboardInterrupt

    @check(challenge="x")
    def z_after(base):
        return 1

    registry = Registry.of(base, fine, m_interrupts, z_after)
    names = list(registry.checks)
    found = compute(registry, FIELDS, names, store=Store(tmp_path))
    assert [found[n].state for n in names] == ["done", "interrupted", "interrupted"]
    assert found["fine"].value == 12.0
    assert found["z_after"].code == "interrupted"
    compute(registry, FIELDS, ["fine", "z_after"], store=Store(tmp_path), emit=record)
    assert record.computed == ["z_after"]


@pytest.mark.parametrize(
    ("shape", "value", "fits"),
    [
        ("n", np.zeros(4), True),
        ("n c", np.zeros((4, 2)), True),
        ("n c c", np.zeros((4, 2, 2)), True),
        ("n 2", np.zeros((4, 2)), True),
        ("n ...", np.zeros((4, 2, 3)), True),
        ("n", np.zeros(3), False),
        ("n c", np.zeros(4), False),
        ("n c c", np.zeros((4, 2, 3)), False),
        ("n 2", np.zeros((4, 3)), False),
        ("n ...", np.zeros((3, 2)), False),
        ("n", [0, 0, 0, 0], False),
    ],
)
def test_the_declared_shape_is_verified(shape, value, fits):
    @artifact(per="split", shape=shape)
    def shaped(inputs):
        return value

    (found,) = compute(Registry.of(shaped), {"test_inputs": np.zeros(4)}, ["test_shaped"]).values()
    assert (found.state == "done") is fits
    if not fits:
        assert f"({shape})" in (found.reason or "")
        assert "n = 4" in (found.reason or "") or isinstance(value, list)


def test_a_shape_that_is_declared_later_is_verified_though_the_value_was_kept(tmp_path: Path):
    def column(inputs):
        return inputs[:2]

    fields = {"test_inputs": np.zeros(4)}
    store = Store(tmp_path)
    loose = Registry.of(artifact(per="split")(column))
    assert compute(loose, fields, ["test_column"], store=store)["test_column"].state == "done"
    del column.__dict__["__roadworthy__"]
    strict = Registry.of(artifact(per="split", shape="n")(column))
    assert compute(strict, fields, ["test_column"], store=store)["test_column"].state == "error"


def test_steps_within_a_node_are_told(record):
    @check(challenge="x")
    def slow(numbers):
        for done in range(1, 4):
            advance(done, 3)
        return 1

    compute(Registry.of(slow), FIELDS, ["slow"], emit=record)
    assert record.steps == [("slow", 1), ("slow", 2), ("slow", 3)]
    advance(1, 2)  # outside of a run nobody listens


def test_a_long_node_ends_where_it_pauses_or_tells_its_steps(clock):
    now = [0.0]
    clock.monotonic = lambda: now[0]

    @artifact()
    def told(numbers):
        for done in range(1, 9):
            now[0] += 1.0
            advance(done, 8)
        return now[0]

    @artifact()
    def silent(numbers):
        for _ in range(8):
            now[0] += 1.0
            pause()
        return now[0]

    for node in (told, silent):
        now[0] = 0.0
        found = compute(Registry.of(node), FIELDS, [node.__name__], budget=2.5)
        assert found[node.__name__].state == "budget"
        assert now[0] == 3.0
    # what is done by then is a result
    now[0] = 0.0
    assert compute(Registry.of(told), FIELDS, ["told"], budget=7.5)["told"].value == 8.0
    pause()  # outside of a run there is no budget


def test_a_damaged_file_is_computed_again(tmp_path: Path, record):
    first = compute(REGISTRY, FIELDS, ["fine"], store=Store(tmp_path))["fine"]
    for file in tmp_path.rglob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:-1])
    again = compute(REGISTRY, FIELDS, ["fine"], store=Store(tmp_path), emit=record)["fine"]
    assert again.value == first.value
    assert record.computed == ["base", "fine"]
    record.events.clear()
    compute(REGISTRY, FIELDS, ["fine"], store=Store(tmp_path), emit=record)
    assert record.computed == []


def test_a_full_disk_is_told_once_and_the_run_ends_well(tmp_path, record, monkeypatch):
    def full(self: Temporary, place: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Temporary, "move_to", full)
    names = ["fine", "bears_absent"]
    found = compute(REGISTRY, FIELDS, names, store=Store(tmp_path), emit=record)
    assert [o.state for o in found.values()] == ["done", "done"]
    assert [e for e in record.events if isinstance(e, NotKept)] == [
        NotKept(f"{tmp_path}: No space left on device")
    ]
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_two_artifacts_of_like_code_and_inputs_share_a_result_and_others_never(tmp_path: Path):
    @artifact(per="split")
    def first(inputs):
        return inputs + 1

    @artifact(per="split")
    def second(inputs):
        return inputs + 2

    fields = {"train_inputs": np.zeros(2), "test_inputs": np.zeros(2)}
    names = ["train_first", "test_first", "train_second"]
    found = compute(Registry.of(first, second), fields, names, store=Store(tmp_path))
    assert found["train_first"].key == found["test_first"].key != found["train_second"].key
    assert [o.value.tolist() for o in found.values()] == [[1, 1], [1, 1], [2, 2]]


def test_a_run_in_another_process_finds_everything(tmp_path: Path):
    code = dedent("""
        import sys, numpy as np
        from roadworthy.engine import Registry, Store, artifact, check, compute, Finished

        NAMES = {"a", "b", "c"}

        @artifact(per="split", rows=True, shape="n")
        def doubled(inputs):
            return inputs * 2 if NAMES else inputs

        @check(challenge="x")
        def total(test_doubled, rng, *, names=frozenset("xyz")):
            return float(test_doubled.sum() + rng.normal())

        computed = []
        emit = lambda e: computed.append(e) if isinstance(e, Finished) and not e.from_store else None
        fields = {"test_inputs": np.arange(9.0)}
        found = compute(Registry.of(doubled, total), fields, ["total"], store=Store(sys.argv[1]), emit=emit)
        print(found["total"].value, len(computed))
    """)
    outs = [
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for seed in ("3", "4")
    ]
    assert outs[0][0] == outs[1][0]
    assert [out[1] for out in outs] == ["2", "0"]
