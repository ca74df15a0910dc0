"""Robust accuracy and its price: our budgets of attacks beside AutoAttack's original source and other peers.

The same rows, sizes and networks in one run, CPU time of this process, one thread; what is imported once is not counted,
here as there:

    OMP_NUM_THREADS=1 python benchmarks/evasion.py --autoattack FOLDER [--cells NAME ...] [--peers] [--data DATA] [--cache FOLDER]

FOLDER holds the package `autoattack` (github.com/fra31/auto-attack); without it only ours run. `--peers` adds
torchattacks, foolbox and ART where they are installed. `--seeds 2` runs AutoAttack twice: rows that only one of its own
runs breaks are its seed-to-seed discordance.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from evasion_cells import CELLS, Cell, subject_of

from roadworthy.engine import Registry, compute
from roadworthy.perturbation.cascade import Outcomes
from roadworthy.statistics import clopper_pearson
from roadworthy.subject import Subject, fields_of
from roadworthy.training.running import load

BATCH = 100
TWO_CLASSES = ("adult",)
TWO_CLASSES_ALLOW = ("apgd-ce", "fab", "square")
"""What AutoAttack can run there: its targeted loss needs four classes, and it asks for nine targets."""
OURS = ("quick", "adaptive", "standard")


@dataclass(frozen=True)
class Outcome:
    """What an attack left standing, and what it cost."""

    stands: np.ndarray
    seconds: float
    forward: int = 0
    backward: int = 0


def ours(subject: Subject, cell: Cell, budget: str, registry: Registry) -> Outcome:
    kind = "" if cell.norm == "linf" else "l2_"
    size = cell.eps
    inputs = subject.splits["test"].inputs
    assert inputs is not None
    if cell.norm == "l2":
        size /= float(np.sqrt(inputs[0].size))
    options = {
        "attack_budget": {"attack": budget},
        f"{kind}attack_threat": {"eps": size},
        "test_attacked_rows": {"most": cell.rows},
    }
    name = f"test_{kind}attack_outcomes"
    began = time.process_time()
    found = compute(registry, fields_of(subject), [name], options=options)[name]
    seconds = time.process_time() - began
    if found.state != "done":
        raise SystemExit(f"{cell.name}, {budget}: {found.state}: {found.reason}\n{found.traceback}")
    outcomes = Outcomes(np.asarray(found.value))
    passes = [int(outcomes.column(name).sum()) for name in ("forward", "backward")]
    return Outcome(outcomes.standing, seconds, *passes)


def peer(subject: Subject, cell: Cell, attack: Callable[..., torch.Tensor]) -> Outcome:
    assert subject.network is not None
    assert subject.weights is not None
    module = load(subject.network, subject.weights)
    split = subject.splits["test"]
    inputs, labels = torch.from_numpy(split.inputs), torch.from_numpy(split.target)
    counted = [0]
    module.register_forward_pre_hook(
        lambda _, given: counted.__setitem__(0, counted[0] + len(given[0]))
    )
    began = time.process_time()
    moved = attack(module, inputs, labels, cell).detach()
    seconds = time.process_time() - began
    passes = counted[0]
    with torch.no_grad():
        stands = (module(moved).argmax(1) == labels) & (module(inputs).argmax(1) == labels)
    change = (moved - inputs).flatten(1)
    far = change.abs().amax(1) if cell.norm == "linf" else change.norm(dim=1)
    assert float(far.max()) <= cell.eps * (1 + 1e-4) + 1e-6, f"left the threat: {float(far.max())}"
    return Outcome(stands.numpy(), seconds, passes)


def autoattack(folder: Path, seed: int) -> Callable[..., torch.Tensor]:
    sys.path.insert(0, str(folder))
    from autoattack import AutoAttack  # type: ignore[import-not-found]  # the reader's own copy

    def run(
        module: torch.nn.Module, inputs: torch.Tensor, labels: torch.Tensor, cell: Cell
    ) -> torch.Tensor:
        norm = {"linf": "Linf", "l2": "L2"}[cell.norm]
        two = cell.network in TWO_CLASSES
        attack = AutoAttack(
            module,
            norm=norm,
            eps=cell.eps,
            version="custom" if two else "standard",
            attacks_to_run=list(TWO_CLASSES_ALLOW) if two else [],
            device="cpu",
            verbose=False,
            seed=seed,
        )
        if two:  # as many starts as in "standard"
            attack.apgd.n_restarts = attack.fab.n_restarts = 1
        return attack.run_standard_evaluation(inputs, labels, bs=BATCH)

    return run


def _classes(cell: Cell) -> int:
    return 2 if cell.network in TWO_CLASSES else 10


def torchattacks_standard(module, inputs, labels, cell):  # as `autoattack` above
    import torchattacks

    norm = {"linf": "Linf", "l2": "L2"}[cell.norm]
    return torchattacks.AutoAttack(
        module, norm=norm, eps=cell.eps, version="standard", n_classes=_classes(cell), seed=0
    )(inputs, labels)


def torchattacks_pgd(module, inputs, labels, cell):
    import torchattacks

    if cell.norm == "l2":
        return torchattacks.PGDL2(module, eps=cell.eps, alpha=cell.eps / 10, steps=40)(
            inputs, labels
        )
    return torchattacks.PGD(module, eps=cell.eps, alpha=cell.eps / 10, steps=40)(inputs, labels)


def foolbox_pgd(module, inputs, labels, cell):
    import foolbox

    model = foolbox.PyTorchModel(module, bounds=(0, 1), device="cpu")
    kind = foolbox.attacks.LinfPGD if cell.norm == "linf" else foolbox.attacks.L2PGD
    return kind(steps=40)(model, inputs, labels, epsilons=cell.eps)[1]


def art_apgd(module, inputs, labels, cell):
    from art.attacks.evasion import AutoProjectedGradientDescent
    from art.estimators.classification import PyTorchClassifier

    model = PyTorchClassifier(
        module,
        torch.nn.CrossEntropyLoss(),
        tuple(inputs.shape[1:]),
        _classes(cell),
        clip_values=(0.0, 1.0),
        device_type="cpu",
    )
    attack = AutoProjectedGradientDescent(
        model, norm=np.inf if cell.norm == "linf" else 2, eps=cell.eps, eps_step=2 * cell.eps, max_iter=100,
        nb_random_init=1, batch_size=BATCH, loss_type="cross_entropy", verbose=False,
    )  # fmt: skip
    return torch.from_numpy(attack.generate(inputs.numpy(), labels.numpy()))


PEERS = {
    "torchattacks AutoAttack (10 steps)": torchattacks_standard,
    "torchattacks PGD-40": torchattacks_pgd,
    "foolbox PGD-40": foolbox_pgd,
    "ART APGD-CE": art_apgd,
}


def runs_of(
    cell: Cell, subject: Subject, asked: argparse.Namespace, registry: Registry
) -> dict[str, Callable[[], Outcome]]:
    runs: dict[str, Callable[[], Outcome]] = {}
    if asked.autoattack is not None:
        for seed in range(asked.seeds):
            attack = autoattack(asked.autoattack, seed)
            runs[f"AutoAttack standard, seed {seed}"] = partial(peer, subject, cell, attack)
    for budget in asked.budgets:
        runs[f"ours, {budget}"] = partial(ours, subject, cell, budget, registry)
    if asked.peers:
        runs |= {name: partial(peer, subject, cell, attack) for name, attack in PEERS.items()}
    return runs


def line(name: str, found: Outcome, reference: Outcome | None) -> str:
    n, stood = len(found.stands), int(found.stands.sum())
    high = clopper_pearson(stood, n).high
    ratio = f"{reference.seconds / found.seconds:8.1f}x" if reference is not None else " " * 9
    only = ""
    if reference is not None:
        here = np.flatnonzero(~found.stands & reference.stands).tolist()
        there = np.flatnonzero(found.stands & ~reference.stands).tolist()
        only = (
            f"  only here {here}  only AutoAttack {there}" if here or there else "  the same rows"
        )
    return (
        f"  {name:36s} {stood / n:7.1%} (at most {high:.1%}) {found.seconds:9.2f} s {ratio} "
        f"{found.forward:>9,} fwd {found.backward:>8,} bwd{only}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--autoattack", type=Path)
    networks = sorted({cell.network for cell in CELLS})
    parser.add_argument("--cells", nargs="*", default=[], choices=networks, help="networks")
    parser.add_argument("--budgets", nargs="*", default=OURS)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--seeds", type=int, default=1)
    standard = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("ROADWORTHY_DATA", standard))
    )
    parser.add_argument("--cache", type=Path, default=Path(".roadworthy") / "evasion")
    parser.add_argument("--record", type=Path, help="file of results, one JSON object a line")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for package in ("onnx", "onnxruntime", "scipy.special", "torch.onnx"):
        if find_spec(package.split(".")[0]) is not None:
            import_module(package)
    registry = Registry.discover()
    for cell in CELLS:
        if asked.cells and cell.network not in asked.cells:
            continue
        subject = subject_of(cell, asked.data, asked.cache)
        print(f"\n{cell.name}: {cell.norm} {cell.eps:.4g}, {cell.rows} rows", flush=True)
        runs = runs_of(cell, subject, asked, registry)
        reference: Outcome | None = None
        for name, run in runs.items():
            try:
                found = run()
            except (ImportError, ModuleNotFoundError) as missing:
                print(f"  {name:36s} not run: {missing}", flush=True)
                continue
            except (
                Exception
            ) as broken:  # a peer that breaks on a cell says so, and the others go on
                if name.startswith(("ours", "AutoAttack")):
                    raise
                print(f"  {name:36s} broke: {type(broken).__name__}: {broken}", flush=True)
                continue
            print(line(name, found, reference), flush=True)
            if reference is None and name.startswith("AutoAttack"):
                reference = found
            if asked.record is not None:
                kept = {
                    "cell": cell.name,
                    "norm": cell.norm,
                    "eps": cell.eps,
                    "attack": name,
                    "seconds": found.seconds,
                }
                kept |= {
                    "stands": int(found.stands.sum()),
                    "n": cell.rows,
                    "forward": found.forward,
                    "backward": found.backward,
                }
                with asked.record.open("a") as file:
                    file.write(json.dumps(kept) + "\n")


if __name__ == "__main__":
    main()
