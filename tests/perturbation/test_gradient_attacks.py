"""Attacks along gradients: exact where the worst case is known, no weaker with more steps, alike in any company."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from roadworthy.errors import NotApplicable
from roadworthy.perturbation.ascent import checkpoints, leaders
from roadworthy.perturbation.attack import Attack, Points, verified
from roadworthy.perturbation.gradient_attacks import (
    VALUES_AT_A_TIME,
    Apgd,
    Fgsm,
    Pgd,
    Round,
    TargetedApgd,
    blocks,
)
from roadworthy.perturbation.losses import dlr, targeted_dlr
from roadworthy.perturbation.model import AttackedModel, attacked
from roadworthy.perturbation.noise import RowNoise
from roadworthy.perturbation.threat import Ball


class Linear(nn.Module):
    """Logits of flattened inputs."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(1) @ self.weight.T + self.bias


def linear(classes: int = 5, values: int = 16, seed: int = 0) -> Linear:
    rng = np.random.default_rng(seed)
    weight = torch.from_numpy(rng.normal(size=(classes, values)).astype(np.float32))
    return Linear(weight, torch.zeros(classes))


def nearest_boundary(net: Linear, inputs: Tensor, labels: Tensor, norm: str) -> np.ndarray:
    """Distance to the nearest wrong answer where the range does not matter: margin / dual norm, the least of all."""
    weight = net.weight.detach().double().numpy()
    x, y = inputs.flatten(1).double().numpy(), labels.numpy()
    order = {"linf": 1, "l2": 2, "l1": np.inf}[norm]
    logits = x @ weight.T
    found = np.full((len(x), len(weight)), np.inf)
    for k in range(len(weight)):
        difference = weight[y] - weight[k]
        size = np.linalg.norm(difference, order, axis=1)
        lead = logits[np.arange(len(x)), y] - logits[:, k]
        found[y != k, k] = (lead / np.maximum(size, 1e-12))[y != k]
    return found.min(axis=1)


class SmallConv(nn.Module):
    """A convolutional network for images of 8 x 8."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Dropout(0.1), nn.Linear(64, 10)),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs)


def digits() -> tuple[Tensor, Tensor]:
    data = load_digits()
    images = torch.from_numpy((data.images[:, None] / 16).astype(np.float32))
    return images, torch.from_numpy(data.target.astype(np.int64))


def trained_on_digits(epochs: int = 8) -> SmallConv:
    inputs, labels = digits()
    inputs, labels = inputs[:1200], labels[:1200]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = SmallConv()
        optimizer = torch.optim.Adam(net.parameters(), 4e-3)
        for _ in range(epochs):
            for rows in torch.randperm(len(inputs)).split(64):
                optimizer.zero_grad()
                nn.functional.cross_entropy(net(inputs[rows]), labels[rows]).backward()
                optimizer.step()
    return net.eval()


def points_of(inputs: Tensor, labels: Tensor, seed: int = 0) -> Points:
    ids = np.random.default_rng(7).integers(0, 2**63, len(inputs)).astype(np.uint64)
    return Points(inputs, labels, RowNoise(ids, seed))


@pytest.fixture(scope="module")
def digits_net() -> SmallConv:
    return trained_on_digits()


def rows_of_digits(first: int = 1200, last: int = 1300) -> Points:
    inputs, labels = digits()
    return points_of(inputs[first:last], labels[first:last])


ATTACKS = (Fgsm(), Pgd(40), Apgd(30), Apgd(30, "DLR"), Apgd(30, "margin"), TargetedApgd())
SIZES = {"linf": 0.12, "l2": 0.5, "l1": 1.0}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.name)
@pytest.mark.parametrize("norm", SIZES)
def test_a_linear_network_is_broken_exactly_where_its_worst_case_is_wrong(
    attack: Attack, norm: str
) -> None:
    net = linear()
    inputs = torch.from_numpy(np.random.default_rng(1).normal(size=(150, 4, 4)).astype(np.float32))
    labels = net(inputs).argmax(1)
    nearest = nearest_boundary(net, inputs, labels, norm)
    eps = float(np.median(nearest))
    ball = Ball(norm, eps, -100.0, 100.0)
    points = points_of(inputs, labels)
    with attacked(net):
        model = AttackedModel(net, 5)
        broken = verified(model, points, ball, attack(model, points, ball)).numpy()
    assert not broken[nearest > 1.001 * eps].any()  # nothing that cannot be
    # One step, or the gradient of one loss, may head for another class than the nearest.
    reachable = nearest < 0.97 * eps
    share = broken[reachable].mean()
    assert share == 1.0 if isinstance(attack, TargetedApgd) else share > 0.85


def test_with_two_classes_every_attack_is_exact() -> None:
    net = linear(classes=2)
    inputs = torch.from_numpy(np.random.default_rng(1).normal(size=(80, 16)).astype(np.float32))
    labels = net(inputs).argmax(1)
    for norm in SIZES:
        nearest = nearest_boundary(net, inputs, labels, norm)
        eps = float(np.median(nearest))
        ball, points = Ball(norm, eps, -100.0, 100.0), points_of(inputs, labels)
        with attacked(net):
            model = AttackedModel(net, 2)
            for attack in ATTACKS:
                broken = verified(model, points, ball, attack(model, points, ball)).numpy()
                assert (broken == (nearest < eps))[abs(nearest / eps - 1) > 0.03].all(), attack.name


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_auto_pgd_breaks_at_least_what_pgd_breaks_at_equal_steps(
    digits_net: SmallConv, norm: str
) -> None:
    points, ball = rows_of_digits(), Ball(norm, SIZES[norm], 0.0, 1.0)
    with attacked(digits_net):
        model = AttackedModel(digits_net, 10)
        by = {
            attack.name: int(verified(model, points, ball, attack(model, points, ball)).sum())
            for attack in (Fgsm(), Pgd(40), Apgd(40), TargetedApgd(), TargetedApgd((Round(9, 40),)))
        }
    fgsm, pgd, apgd, halving, full = by.values()
    assert 20 <= full <= 95  # the size of the threat leaves something to tell apart
    assert apgd >= pgd - 1  # random starts differ
    assert fgsm < full
    assert halving >= pgd
    assert halving >= full - 1


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.name)
def test_shards_of_seven_rows_give_what_the_whole_gives(
    digits_net: SmallConv, attack: Attack
) -> None:
    points, ball = rows_of_digits(1200, 1235), Ball("linf", 0.1, 0.0, 1.0)
    with attacked(digits_net):
        model = AttackedModel(digits_net, 10)
        whole = attack(model, points, ball)
        parts = [
            attack(model, points.take(torch.arange(first, first + 7)), ball)
            for first in range(0, 35, 7)
        ]
    for name in ("inputs", "margin", "forward", "backward"):
        joined = torch.cat([getattr(part, name) for part in parts])
        torch.testing.assert_close(joined, getattr(whole, name), atol=2e-4, rtol=1e-4)


def test_passes_are_counted_by_row_and_in_all(digits_net: SmallConv) -> None:
    points, ball = rows_of_digits(), Ball("linf", 0.1, 0.0, 1.0)
    with attacked(digits_net):
        for attack in ATTACKS:
            model = AttackedModel(digits_net, 10)
            found = attack(model, points, ball)
            assert model.passes.backward == int(found.backward.sum())
            spent = model.passes.forward - int(found.forward.sum())
            assert spent == 0, attack.name


def test_what_is_found_coarsely_is_confirmed_exactly(digits_net: SmallConv) -> None:
    points, ball = rows_of_digits(), Ball("linf", 0.1, 0.0, 1.0)
    with attacked(digits_net):
        exact, coarse = AttackedModel(digits_net, 10), AttackedModel(digits_net, 10)
        coarse.precision = "bfloat16"
        for attack in (Apgd(20), TargetedApgd()):
            ours = attack(coarse, points, ball)
            broken = verified(exact, points, ball, ours)
            assert torch.equal(broken, ours.margin < 0)
            theirs = verified(exact, points, ball, attack(exact, points, ball))
            assert abs(int(broken.sum()) - int(theirs.sum())) <= 1


def test_a_row_that_is_wrong_to_begin_with_costs_targets_nothing(digits_net: SmallConv) -> None:
    inputs, labels = digits()
    points = points_of(inputs[:10], (digits_net(inputs[:10]).argmax(1) + 1) % 10)
    model = AttackedModel(digits_net, 10)
    TargetedApgd()(model, points, Ball("linf", 0.1, 0.0, 1.0))
    assert (model.passes.forward, model.passes.backward) == (10, 0)
    assert len(labels) > 10


def test_the_ratio_loss_does_not_change_with_the_scale_of_the_logits() -> None:
    logits, labels = (
        torch.randn(20, 6, generator=torch.Generator().manual_seed(0)),
        torch.arange(20) % 6,
    )
    torch.testing.assert_close(dlr(logits, labels), dlr(200 * logits, labels))
    pairs = torch.stack([labels, (labels + 1) % 6], dim=1)
    torch.testing.assert_close(targeted_dlr(logits, pairs), targeted_dlr(200 * logits, pairs))


def test_the_ratio_losses_by_hand() -> None:
    logits, labels = torch.tensor([[4.0, 1.0, 2.0, 0.0]]), torch.tensor([0])
    assert dlr(logits, labels).item() == pytest.approx(-(4 - 2) / (4 - 1))
    to_1 = torch.tensor([[0, 1]])
    assert targeted_dlr(logits, to_1).item() == pytest.approx(-(4 - 1) / (4 - (1 + 0) / 2))


def test_looks_at_the_progress_are_those_of_the_paper() -> None:
    # p = 0, .22, .41, .57, .70, .80, .87, .93, .99: then steps of .06 (Croce & Hein 2020, section 3.1)
    assert list(checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]


def test_the_best_copies_of_each_row_stay() -> None:
    rows = torch.tensor([0, 1, 0, 1, 0, 2])
    scores = torch.tensor([1.0, 5.0, 3.0, 4.0, 2.0, 0.0])
    assert leaders(rows, scores, 2).tolist() == [1, 2, 3, 4, 5]
    assert leaders(rows, scores, 1).tolist() == [1, 2, 5]


def test_a_network_without_gradients_is_refused_not_robust() -> None:
    class Cut(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs.detach().flatten(1)[:, :3]

    points = points_of(torch.rand(4, 8), torch.zeros(4, dtype=torch.int64))
    model = AttackedModel(Cut(), 3)
    assert not model.has_gradients(points.inputs)
    with pytest.raises(NotApplicable, match="no gradients"):
        Apgd()(model, points, Ball("linf", 0.1, 0.0, 1.0))


def test_what_could_learn_beside_an_input_that_is_cut_off_is_no_gradient() -> None:
    layer = nn.Linear(8, 3)  # held outside of what the module registers, so that nothing freezes it

    class Cut(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return layer(inputs.detach())

    assert not AttackedModel(Cut(), 3).has_gradients(torch.rand(4, 8))


@pytest.mark.parametrize(
    "said",
    ["DefaultCPUAllocator: can't allocate memory: you tried ...", "could not create a primitive"],
)
def test_too_little_memory_makes_chunks_smaller_and_at_one_row_is_an_error(said: str) -> None:
    class Hungry(nn.Module):
        most = 5

        def forward(self, inputs: Tensor) -> Tensor:
            if len(inputs) > self.most:
                raise RuntimeError(said)
            return inputs.flatten(1)[:, :3]

    net, inputs = Hungry(), torch.rand(50, 4)
    model = AttackedModel(net, 3, chunk=32)
    torch.testing.assert_close(model.logits(inputs), inputs[:, :3])
    assert model.chunk <= 5
    net.most = 0
    with pytest.raises(RuntimeError, match=said[:20]):
        Apgd(5)(
            model, points_of(inputs, torch.zeros(50, dtype=torch.int64)), Ball("linf", 0.1, 0, 1)
        )


@pytest.mark.parametrize(
    ("rows", "shape", "copies"), [(512, (1, 28, 28), 9), (7, (3, 400, 400), 9)]
)
def test_what_is_held_at_a_time_has_a_bound_whatever_the_number_of_rows_that_stand(
    rows: int, shape: tuple[int, ...], copies: int
) -> None:
    points = points_of(torch.zeros(rows, *shape), torch.zeros(rows, dtype=torch.int64))
    parts = list(blocks(torch.arange(rows), points, copies))
    most = max(VALUES_AT_A_TIME, copies * int(np.prod(shape)))  # a row alone is not cut
    assert all(len(part) * copies * int(np.prod(shape)) <= most for part in parts)
    assert torch.equal(torch.cat(parts), torch.arange(rows))


def test_other_errors_of_a_network_go_up() -> None:
    class Broken(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="fit"):
        AttackedModel(Broken(), 3).logits(torch.rand(4, 2))


def test_mode_and_what_learns_are_as_before_after_an_attack_also_after_an_error() -> None:
    net = SmallConv().train()
    net.layers[0].weight.requires_grad_(False)
    before = [(m.training, [p.requires_grad for p in m.parameters()]) for m in net.modules()]
    images, labels = digits()
    flat = points_of(images[:4].flatten(1), labels[:4])
    form = [(p.data_ptr(), p.stride()) for p in net.parameters()]
    told = net.eval()(images[:4])
    net.train()
    with attacked(net, channels_last=True):
        assert not any(m.training for m in net.modules())
        assert not any(p.requires_grad for p in net.parameters())
        torch.testing.assert_close(net(images[:4]), told, atol=1e-5, rtol=1e-5)
    assert form == [(p.data_ptr(), p.stride()) for p in net.parameters()]
    with pytest.raises(RuntimeError), attacked(net):  # the images are no vectors
        Apgd(2)(AttackedModel(net, 10), flat, Ball("linf", 0.1, 0, 1))
    assert before == [
        (m.training, [p.requires_grad for p in m.parameters()]) for m in net.modules()
    ]


def test_probabilities_are_attacked_by_their_logarithms(digits_net: SmallConv) -> None:
    told = nn.Sequential(digits_net, nn.Softmax(dim=1))
    points, ball = rows_of_digits(), Ball("linf", 0.08, 0.0, 1.0)
    with attacked(told):
        logits = AttackedModel(digits_net, 10)
        shares = AttackedModel(told, 10, gives_probabilities=True)
        torch.testing.assert_close(
            shares.logits(points.inputs),
            logits.logits(points.inputs).log_softmax(1).clamp_min(-87.34),
            atol=1e-3,
            rtol=1e-3,
        )
        ours = verified(shares, points, ball, TargetedApgd()(shares, points, ball))
        theirs = verified(logits, points, ball, TargetedApgd()(logits, points, ball))
    assert abs(int(ours.sum()) - int(theirs.sum())) <= 1
