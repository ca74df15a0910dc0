"""Random numbers: they follow names and options, and nothing else."""

import numpy as np

from roadworthy.engine import Registry, artifact, compute, generator


def test_noise_depends_on_seed_name_options_and_shard():
    def first(*given):
        return generator(*given).integers(1 << 60)

    assert first(0, "a") == first(0, "a")
    others = {
        first(0, "a"),
        first(1, "a"),
        first(0, "b"),
        first(0, "a", {"k": 1}),
        first(0, "a", {}, 9),
    }
    assert len(others) == 5
    assert first(0, "a", {"k": 1, "j": 2}) == first(0, "a", {"j": 2, "k": 1})


def test_the_numbers_are_the_same_on_every_machine():
    # Recorded: a change here changes every published audit.
    assert generator(0, "test_noise", {"bins": 10}).integers(0, 1000, 5).tolist() == RECORDED


RECORDED = [489, 918, 184, 222, 566]


def noise_of(module, data: float, seed: int = 0) -> tuple[list[float], str]:
    fields = {"test_inputs": np.full(3, data)}
    (found,) = compute(Registry.of(module.noise), fields, ["test_noise"], seed=seed).values()
    return found.value.tolist(), found.key


def test_noise_does_not_depend_on_code_or_data_but_keys_do(module):
    source = """
    from roadworthy.engine import artifact
    @artifact(per="split")
    def noise(inputs, rng):
        return rng.normal(size=3) + {zero}
    """
    one, other = module(source.format(zero="0.0")), module(source.format(zero="-0.0"))
    assert noise_of(one, 1.0)[0] == noise_of(other, 2.0)[0] != noise_of(one, 1.0, seed=1)[0]
    keys = {noise_of(one, 1.0)[1], noise_of(other, 1.0)[1], noise_of(one, 2.0)[1]}
    keys.add(noise_of(one, 1.0, seed=1)[1])
    assert len(keys) == 4


def test_the_seed_of_the_run_is_no_part_of_what_takes_no_rng():
    @artifact()
    def plain(numbers):
        return 1

    registry = Registry.of(plain)
    keys = {compute(registry, {"numbers": 1}, ["plain"], seed=s)["plain"].key for s in (0, 1)}
    assert len(keys) == 1
