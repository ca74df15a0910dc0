import io
import os
import pickle
import textwrap
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.errors import UserError
from roadworthy.subject import Recipe, Split, Subject, Task
from roadworthy.subject.intake import model_from_file, model_from_object, with_model
from roadworthy.subject.pickles import look_inside
from roadworthy.subject.weights import read_weights

FACTORY = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, x):
        return self.layers(x)

def build():
    return Net()

def needs(width):
    return Net()

number = 3
"""


class Whole(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Linear(4, 3)

    def forward(self, x):
        return self.layers(x)


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, canary) -> None:
        self.canary = str(canary)

    def __reduce__(self):
        return os.mkdir, (self.canary,)


@pytest.fixture
def factory(tmp_path):
    path = tmp_path / f"factory_{os.path.basename(tmp_path)}.py"
    path.write_text(textwrap.dedent(FACTORY))
    return f"{path}:build"


def subject(n=20, c=3, width=4):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(n, width))
    target = np.arange(n) % c
    kind = "binary" if c == 2 else "multiclass"
    classes = tuple(str(i) for i in range(c))
    task = Task(kind, classes, 1 if c == 2 else None)
    return Subject("s", task, "array", {"test": Split(inputs, target)})


def regression(n=20):
    rng = np.random.default_rng(0)
    split = Split(rng.normal(size=(n, 4)), rng.normal(size=n))
    return Subject("s", Task("regression"), "array", {"test": split})


def built(factory):
    return model_from_file(factory).network.build()


# --- factories and their weights


def test_a_factory_alone_is_an_architecture_that_is_trained_here(factory) -> None:
    model = model_from_file(factory)
    assert model.network is not None
    assert not model.is_trained
    assert "untrained" in model.note
    made = with_model(subject(), model)
    assert made.network is model.network
    assert made.weights is None
    assert model.note in made.notes


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".ckpt"])
def test_weights_of_every_format_come_back_exactly(factory, tmp_path, suffix) -> None:
    net = built(factory)
    path = tmp_path / f"w{suffix}"
    if suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(net.state_dict(), path)
    elif suffix == ".pt":
        torch.save(net.state_dict(), path)
    else:  # as Lightning writes it
        state = {f"model.{name}": tensor for name, tensor in net.state_dict().items()}
        torch.save({"epoch": 3, "state_dict": state, "hyper_parameters": {"lr": 0.1}}, path)
    model = model_from_file(factory, path)
    assert model.is_trained
    assert set(model.weights) == set(net.state_dict())
    for name, tensor in net.state_dict().items():
        assert np.array_equal(model.weights[name], tensor.numpy())
    assert with_model(subject(), model).weights is model.weights


def test_bfloat16_weights_are_widened_without_loss(tmp_path) -> None:
    from safetensors.torch import save_file

    tensor = torch.randn(5, 5).to(torch.bfloat16)
    save_file({"w": tensor}, tmp_path / "w.safetensors")
    read = read_weights(tmp_path / "w.safetensors")["w"]
    assert read.dtype == np.float32
    assert torch.equal(torch.from_numpy(read).to(torch.bfloat16), tensor)


def test_weights_that_do_not_fit_name_every_weight_at_once(factory, tmp_path) -> None:
    state = built(factory).state_dict()
    state["extra"] = torch.zeros(1)
    state["layers.0.weight"] = torch.zeros(8, 5)
    del state["layers.2.bias"]
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(UserError) as caught:
        model_from_file(factory, tmp_path / "w.pt")
    message = str(caught.value)
    assert "3 problems" in message
    assert "layers.2.bias" in message
    assert "extra" in message
    assert "layers.0.weight (8, 5) instead of (8, 4)" in message


def test_old_files_of_weights_are_read(factory, tmp_path) -> None:
    net = built(factory)
    torch.save(net.state_dict(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert look_inside(tmp_path / "old.pt").kind == "state_dict"
    assert len(read_weights(tmp_path / "old.pt")) == 4


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("{path}:biuld", 'has no "biuld". Did you mean "build"'),
        ("{path}:number", "no function"),
        ("{path}:needs", "without arguments"),
        ("{path}", "which function of it"),
        ("no_such_module_here:build", 'no module "no_such_module_here"'),
        ("nowhere.py:build", "no such file"),
        ("nowhere.h5", "no such file"),
    ],
)
def test_a_factory_that_cannot_be_called_says_why(factory, reference, said) -> None:
    path = factory.removesuffix(":build")
    with pytest.raises(UserError) as caught:
        model_from_file(reference.format(path=path))
    assert said in str(caught.value)


# --- pickles


def test_a_whole_module_is_refused_unread_with_the_way_to_convert_it(tmp_path) -> None:
    torch.save(Whole(), tmp_path / "model.pt")
    for call in (model_from_file, read_weights):
        with pytest.raises(UserError) as caught:
            call(str(tmp_path / "model.pt"))
        message = str(caught.value)
        assert "holds a whole module" in message
        assert "Whole" in message
        assert "save_file(model.state_dict()" in message


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt", ".pkl", ".bin", ".joblib"])
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_malicious_pickle_is_refused_and_does_nothing(tmp_path, suffix, protocol) -> None:
    canary = tmp_path / "canary"
    path = tmp_path / f"evil{suffix}"
    path.write_bytes(pickle.dumps(Bomb(canary), protocol=protocol))
    for call in (model_from_file, read_weights):
        with pytest.raises(UserError):
            call(str(path))
    assert not canary.exists()
    if suffix not in (".pkl", ".joblib") and protocol:
        assert look_inside(path).calls == ("posix.mkdir",)
    pickle.loads(path.read_bytes())
    assert canary.exists()  # the file is as evil as it claims to be


def test_a_malicious_archive_of_weights_is_refused_and_does_nothing(tmp_path, factory) -> None:
    canary = tmp_path / "canary"
    path = tmp_path / "evil.pt"
    torch.save({"layers.0.weight": torch.zeros(8, 4), "x": Bomb(canary)}, path)
    inside = look_inside(path)
    assert inside.calls in (("posix.mkdir",), ("nt.mkdir",))
    with pytest.raises(UserError, match="mkdir"):
        model_from_file(factory, path)
    assert not canary.exists()


def test_a_name_put_together_in_a_pickle_is_not_trusted(tmp_path) -> None:
    path = tmp_path / "w.pt"
    hidden = b"\x80\x04\x8c\x05posix\x94\x8c\x05mkdir\x94h\x00h\x01\x93."
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w/data.pkl", hidden)
        archive.writestr("w/version", "3")
    assert look_inside(path).calls == ("posix.mkdir",)


def test_a_claim_of_gigabytes_in_a_small_safetensors_file_is_refused(tmp_path, factory) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes((2 * 2**30).to_bytes(8, "little") + b'{"a": 1}')
    with pytest.raises(UserError, match="claims 2,147,483,648 bytes in a file of 16"):
        model_from_file(factory, path)
    header = b'{"w":{"dtype":"F32","shape":[536870912],"data_offsets":[0,2147483648]}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(UserError, match="not a readable safetensors file"):
        model_from_file(factory, path)


def test_weights_without_an_architecture_say_what_is_missing(tmp_path) -> None:
    torch.save({"w": torch.zeros(1)}, tmp_path / "w.pt")
    with pytest.raises(UserError, match="holds weights and no architecture"):
        model_from_file(str(tmp_path / "w.pt"))
    with pytest.raises(UserError, match="weights without an architecture"):
        model_from_file(None, tmp_path / "w.pt")


def test_text_and_empty_files_are_no_weights(tmp_path, factory) -> None:
    (tmp_path / "w.pt").write_text("hello")
    with pytest.raises(UserError, match="neither safetensors nor a PyTorch state dict"):
        model_from_file(factory, tmp_path / "w.pt")
    (tmp_path / "w.pt").write_bytes(b"")
    with pytest.raises(UserError, match="empty"):
        model_from_file(factory, tmp_path / "w.pt")


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_torchscript_is_refused_with_the_way_out(tmp_path) -> None:
    torch.jit.save(torch.jit.trace(Whole(), torch.zeros(1, 4)), tmp_path / "m.pt")
    with pytest.raises(UserError, match="TorchScript"):
        model_from_file(str(tmp_path / "m.pt"))


# --- live models


def test_a_live_module_comes_with_its_weights_and_is_not_touched() -> None:
    net = Whole().train()
    model = model_from_object(net, Recipe())
    made = with_model(subject(), model)
    assert made.recipe == Recipe()
    assert np.array_equal(made.weights["layers.weight"], net.layers.weight.detach().numpy())
    assert net.training


def test_estimators_give_probabilities_in_the_order_of_the_classes() -> None:
    from sklearn.linear_model import LogisticRegression

    x = np.random.default_rng(0).normal(size=(60, 4))
    y = np.where(x[:, 0] > 0.4, "b", np.where(x[:, 0] < -0.4, "c", "a"))
    fitted = LogisticRegression().fit(x, y)
    task = Task("multiclass", ("c", "a", "b"))
    given = Subject("s", task, "array", {"test": Split(x, np.zeros(60, np.int64))})
    made = with_model(given, model_from_object(fitted))
    assert made.predictor.gives == "probabilities"
    assert np.array_equal(made.predictor(x), fitted.predict_proba(x)[:, [2, 0, 1]])
    assert any("black box" in note for note in made.notes)


def test_an_estimator_fitted_on_a_data_frame_gets_one() -> None:
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    from roadworthy.subject import subject_from

    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"city": rng.choice(["x", "y"], 80), "n": rng.normal(size=80)})
    frame["label"] = ((frame.city == "x") ^ (rng.random(80) < 0.1)).astype(int)
    encode = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    fitted = make_pipeline(encode, LogisticRegression()).fit(frame[["city", "n"]], frame.label)
    made = subject_from(fitted, test=frame, target="label")
    found = made.predictor(made.splits["test"].inputs)
    assert np.allclose(found, fitted.predict_proba(frame[["city", "n"]]))


def test_an_estimator_without_the_target_s_classes_is_refused() -> None:
    from sklearn.linear_model import LogisticRegression

    x = np.random.default_rng(0).normal(size=(60, 4))
    fitted = LogisticRegression().fit(x, np.where(x[:, 0] > 0, "good", "bad"))
    with pytest.raises(
        UserError, match=r"classes 0, 1, 2, which the model does not know.*bad, good"
    ):
        with_model(subject(), model_from_object(fitted))


def test_decisions_without_probabilities_point_to_recorded_predictions() -> None:
    class Decider:
        classes_ = (0, 1, 2)

        def fit(self): ...

        def predict(self, x): ...

    with pytest.raises(UserError, match="--predictions FILE --predicted COLUMN"):
        with_model(subject(), model_from_object(Decider()))


def test_a_regressor_gives_values() -> None:
    from sklearn.linear_model import LinearRegression

    given = regression()
    split = given.splits["test"]
    fitted = LinearRegression().fit(split.inputs, split.target)
    made = with_model(given, model_from_object(fitted))
    assert made.predictor.gives == "values"
    assert made.predictor(split.inputs).shape == (20,)


def test_any_function_will_do_and_other_things_will_not() -> None:
    made = with_model(subject(), model_from_object(lambda x: x[:, :3]))
    assert made.predictor.gives == "unknown"
    with pytest.raises(UserError, match="is a int; a torch module"):
        model_from_object(3)


# --- what a probe of some rows finds


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: x[:5, :3], "output of shape (5, 3) for inputs of shape (16, 4)"),
        (lambda x: x[:, :2], "gives 2 outputs for each row, and the target has 3 classes"),
        (lambda x: x[:, 0], "gives one output for each row (shape (16,))"),
        (lambda x: x[:, :3, None], "output of shape (16, 3, 1)"),
        (lambda x: np.full((16, 3), np.nan), "NaN or infinite outputs for 16 of 16 rows"),
        (lambda x: np.random.default_rng().normal(size=(16, 3)), "differently when asked again"),
    ],
)
def test_outputs_that_do_not_fit_are_refused_naming_shapes(call, said) -> None:
    with pytest.raises(UserError) as caught:
        with_model(subject(), model_from_object(call))
    assert said in str(caught.value)


def test_a_number_is_expected_for_a_regression() -> None:
    with pytest.raises(UserError, match=r"3 outputs for each row \(shape \(16, 3\)\)"):
        with_model(regression(), model_from_object(lambda x: x[:, :3]))


def test_missing_values_that_make_a_model_fail_are_blamed() -> None:
    given = subject()
    given.splits["test"].inputs[::2, 0] = np.nan
    with pytest.raises(UserError, match="that have missing values"):
        with_model(given, model_from_object(lambda x: x[:, :3]))


def test_labels_outside_the_model_s_range_are_named() -> None:
    given = subject(c=6)
    with pytest.raises(UserError, match=r"the labels 4, 5 are outside its range"):
        with_model(given, model_from_object(lambda x: x))


def test_a_model_with_more_classes_than_the_data_widens_the_task() -> None:
    given = subject(c=3)
    target = np.array([1, 2])[np.arange(20) % 2]  # codes of the classes "1" and "3"
    task = Task("multiclass", ("0", "1", "3"))
    split = Split(given.splits["test"].inputs, target)
    made = with_model(Subject("s", task, "array", {"test": split}), model_from_object(lambda x: x))
    assert made.task.classes == ("0", "1", "2", "3")
    assert set(made.splits["test"].target) == {1, 3}


def test_inputs_of_a_shape_that_a_module_cannot_take_are_told(factory) -> None:
    with pytest.raises(UserError, match=r"failed on inputs of shape \(16, 7\)"):
        with_model(subject(width=7), model_from_file(factory))


# --- exported programs and ONNX


@pytest.mark.slow
def test_an_exported_program_needs_trust_and_then_answers_as_the_module(tmp_path) -> None:
    net = Whole().eval()
    batch = torch.export.Dim("batch")
    program = torch.export.export(net, (torch.zeros(4, 4),), dynamic_shapes=({0: batch},))
    torch.export.save(program, tmp_path / "m.pt2")
    assert look_inside(tmp_path / "m.pt2").kind == "exported"
    with pytest.raises(UserError, match="--trust"):
        model_from_file(str(tmp_path / "m.pt2"))
    given = subject()
    made = with_model(given, model_from_file(str(tmp_path / "m.pt2"), trust=True))
    inputs = given.splits["test"].inputs
    expected = net(torch.from_numpy(inputs).float()).detach().numpy()
    assert np.allclose(made.predictor(inputs), expected)
    assert made.predictor.module is not None


@pytest.mark.slow
def test_a_program_exported_for_one_batch_size_is_given_that_size(tmp_path) -> None:
    net = Whole().eval()
    torch.export.save(torch.export.export(net, (torch.zeros(6, 4),)), tmp_path / "m.pt2")
    given = subject()
    made = with_model(given, model_from_file(str(tmp_path / "m.pt2"), trust=True))
    inputs = given.splits["test"].inputs
    expected = net(torch.from_numpy(inputs).float()).detach().numpy()
    assert np.allclose(made.predictor(inputs), expected, atol=1e-6)


def onnx_model(tmp_path, batch="n"):
    """Write softmax(x @ w) as an ONNX file."""
    from onnx import TensorProto, helper, numpy_helper

    w = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["z"]),
            helper.make_node("Softmax", ["z"], ["probabilities"], axis=1),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 4])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [batch, 3])],
        [numpy_helper.from_array(w, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path, w


@pytest.mark.parametrize("batch", ["n", 1, 6])
def test_onnx_answers_as_the_model_whatever_its_batch_size(tmp_path, batch) -> None:
    path, w = onnx_model(tmp_path, batch)
    given = subject()
    made = with_model(given, model_from_file(str(path)))
    inputs = given.splits["test"].inputs
    z = np.exp(inputs @ w)
    assert np.allclose(made.predictor(inputs), z / z.sum(axis=1, keepdims=True), atol=1e-5)
    assert made.predictor.gives == "probabilities"


def test_a_file_that_is_no_onnx_says_so(tmp_path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match="not a readable ONNX model"):
        with_model(subject(), model_from_file(str(tmp_path / "m.onnx")))


def test_without_onnxruntime_the_way_to_install_it_is_told(tmp_path, monkeypatch) -> None:
    import importlib.util

    path, _ = onnx_model(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'roadworthy\[onnx\]'"):
        with_model(subject(), model_from_file(str(path)))


def test_unreadable_pickles_count_as_unknown() -> None:
    from roadworthy.subject.pickles import names_in

    assert names_in(io.BytesIO(b"\x80\x04\xff")) == ["unknown.unknown"]
