"""Models taken in, in the order of what they allow: factory, live module, exported, ONNX, callable."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject.blackbox import LIMITS, BlackBox, Estimator, Function, is_estimator
from roadworthy.subject.exported import ExportedProgram, require_trust
from roadworthy.subject.model import Network, Recipe
from roadworthy.subject.modules import load_weights, network_of, weights_of
from roadworthy.subject.onnx import OnnxModel
from roadworthy.subject.own_code import own_code
from roadworthy.subject.probe import probed
from roadworthy.subject.problems import nearest
from roadworthy.subject.random_answers import declared_random, said_of, steadied
from roadworthy.subject.streamed import as_float64
from roadworthy.subject.subject import Subject
from roadworthy.subject.weights import (
    CONVERT,
    STATE_DICT_SUFFIXES,
    fitted_to,
    read_weights,
    refuse_unsafe,
)

if TYPE_CHECKING:
    from torch import nn

PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle")


@dataclass(frozen=True, eq=False)
class Model:
    """A model as given: an architecture with or without weights, or a black box, or nothing.

    Parameters
    ----------
    network : Network, optional
    weights : mapping of str to ndarray, optional
        None with a network: it is to be trained.
    black_box : BlackBox, optional
    recipe : Recipe, optional
        How it was trained.
    note : str
        What this kind of model allows, in one line.
    random_draws : int, optional
        It answers at random; its answer is the mean over so many draws.
    """

    network: Network | None = None
    weights: Mapping[str, np.ndarray] | None = None
    black_box: BlackBox | None = None
    recipe: Recipe | None = None
    note: str = "no model was given: a default one is trained"
    random_draws: int | None = None

    @property
    def is_trained(self) -> bool:
        """Whether the model has learned already."""
        return self.weights is not None or self.black_box is not None


def model_from_file(
    model: str | None, weights: str | Path | None = None, *, trust: bool = False
) -> Model:
    """Return the model that `--model` and `--weights` name.

    Parameters
    ----------
    model : str, optional
        "module:function" or "path/file.py:function", or a `.pt2` or `.onnx` file.
    weights : path, optional
        `.safetensors`, or a state dict (`.pt`, Lightning `.ckpt`), for what the function returns.
    trust : bool
        Whether a `.pt2` file may be loaded, which can run code.
    """
    if model is None:
        if weights is not None:
            raise UserError(f"{weights}: weights without an architecture (--weights). {CONVERT}")
        return Model()
    suffix = Path(model).suffix.lower()
    if _is_factory(model):
        return _model_from_factory(model, weights)
    path = Path(model)
    if weights is not None and suffix in (".pt2", ".onnx"):
        raise UserError(
            f"--weights {weights} goes with a factory (--model file.py:function), and --model "
            f"{model} holds its own. Leave one out."
        )
    if suffix == ".pt2":
        require_trust(path, trust=trust)
        note = f"{path.name} was trusted and loaded: gradients work, training it again does not"
        return Model(black_box=ExportedProgram(path), note=note)
    if suffix == ".onnx":
        return Model(black_box=OnnxModel(path), note=f"{path.name} is {LIMITS}")
    _refuse_model_file(path)
    return Model()


def _is_factory(model: str) -> bool:
    """Whether "place:name" names a function; a drive letter and a path do not."""
    before, colon, after = model.rpartition(":")
    return bool(colon) and after.isidentifier() and len(before) > 1


def _refuse_model_file(path: Path) -> None:
    if not path.exists():
        raise UserError(
            f"--model {path}: no such file, and not module:function. Give file.py:function, "
            "module:function, a .pt2 or an .onnx file."
        )
    suffix = path.suffix.lower()
    if suffix == ".py":
        raise UserError(
            f"--model {path}: which function of it builds the model? Write {path}:function."
        )
    if suffix == ".safetensors":
        raise UserError(
            f"--model {path}: weights without an architecture. Give a Python factory beside them: "
            f"--model file.py:function --weights {path}."
        )
    if suffix in (*STATE_DICT_SUFFIXES, *PICKLES):
        refuse_unsafe(path)
        raise UserError(
            f"--model {path}: a state dict, which holds weights and no architecture. Give a Python "
            f"factory beside it: --model file.py:function --weights {path}."
        )
    raise UserError(
        f"--model {path}: models in {suffix or 'such'} files are not supported. Give "
        "file.py:function, a .pt2 or an .onnx file, or audit recorded predictions (--predictions)."
    )


def _model_from_factory(reference: str, weights: str | Path | None) -> Model:
    import torch

    factory = function_named(reference, option="--model")
    made = called(factory, reference)
    if not isinstance(made, torch.nn.Module):
        if weights is not None:
            raise UserError(
                f"--weights {weights}: {reference} returns a {type(made).__qualname__}, not a torch "
                "module that weights could be loaded into."
            )
        return model_from_object(made)
    network = Network(factory, reference)
    if weights is None:
        note = f"{reference} was taken as untrained: it is trained here; trained weights go with --weights"
        return Model(network, note=note)
    loaded = fitted_to(made, read_weights(weights), weights)
    note = f"{reference} with weights from {Path(weights).name}: everything can be audited"
    return Model(network, loaded, note=note)


def called(factory: Callable[[], Any], reference: str) -> Any:  # Any: whatever the user returns
    """Return what a factory makes when it is called without arguments."""
    try:
        inspect.signature(factory).bind()
    except TypeError as error:
        raise UserError(
            f"{reference} must be callable without arguments ({error}). Write a function that calls "
            "it with the arguments that you use."
        ) from None
    except ValueError:
        pass  # some built-in functions do not say what they take
    with own_code(f"{reference} failed"):
        return factory()


def model_from_object(model: Any, recipe: Recipe | None = None) -> Model:
    """Return a live model: a torch module, a fitted estimator or any callable; None for none."""
    if model is None:
        return Model(recipe=recipe)
    if isinstance(model, Network):
        return Model(model, recipe=recipe, note="the given network is trained here")
    if "torch" in sys.modules and _is_module_class(model):
        return Model(
            Network(model, model.__qualname__),
            recipe=recipe,
            note=f"{model.__qualname__} is trained here",
        )
    if "torch" in sys.modules and _is_module(model):
        note = (
            f"{type(model).__qualname__} with its weights: everything can be audited"
            if recipe
            else f"{type(model).__qualname__} with its weights; training it again needs a recipe"
        )
        return Model(network_of(model), weights_of(model), recipe=recipe, note=note)
    if is_estimator(model):
        note = f"{type(model).__qualname__} is {LIMITS}"
        return Model(black_box=Estimator(model), note=note)
    if callable(model):
        name = getattr(model, "__qualname__", type(model).__qualname__)
        return Model(black_box=Function(model), note=f"{name} is {LIMITS}")
    raise UserError(
        f"The model is a {type(model).__qualname__}; a torch module, a fitted scikit-learn estimator "
        "or a function from inputs to outputs was expected."
    )


def _is_module(model: object) -> bool:
    from torch import nn

    return isinstance(model, nn.Module)


def _is_module_class(model: object) -> bool:
    from torch import nn

    return isinstance(model, type) and issubclass(model, nn.Module)


def with_model(subject: Subject, model: Model) -> Subject:
    """Return the subject with a model, after some rows have been shown to it.

    Raises
    ------
    UserError
        Where the model's outputs do not fit the task, naming shapes.
    """
    notes = (*subject.notes, model.note)
    draws = model.random_draws
    notes = (*notes, *said_of(draws))
    declared = draws is not None
    if model.black_box is not None:
        predictor = model.black_box.predictor(subject)
        if draws is not None:
            predictor = steadied(predictor, draws, partial(_answers, predictor.call), subject)
        subject = probed(
            subject, partial(_answers, predictor.call), trained=True, declared=declared
        )
        return replace(subject, predictor=predictor, recipe=model.recipe, notes=notes)
    if model.network is None:
        if declared:
            raise UserError(
                "random_draws is for a model that answers at random, and none is given."
            )
        return replace(subject, recipe=model.recipe, notes=notes)
    with own_code(f"The model ({model.network.source}) cannot be built"):
        module = model.network.build()
    if model.weights is not None:
        load_weights(module, model.weights)
    trained = model.weights is not None
    if _takes_numbers_only(module, subject):
        subject = _as_numbers(subject)
    network, weights = model.network, model.weights
    if draws is not None:
        outputs = partial(_outputs, module)
        network, weights = declared_random(network, weights, draws, module, outputs, subject)
        module = network.build()
        if weights is not None:
            load_weights(module, weights)
    subject = probed(
        subject, lambda inputs: _outputs(module, inputs), trained=trained, declared=declared
    )
    categories = [column.name for column in subject.columns if column.kind == "category"]
    if categories:
        notes = (*notes, "categories reach the model as codes, in alphabetical order from 0")
    return replace(
        subject,
        network=network,
        weights=weights,
        recipe=model.recipe,
        notes=notes,
    )


def _answers(call: Callable[[np.ndarray], np.ndarray], inputs: np.ndarray) -> np.ndarray:
    failing = f"The model failed on inputs of shape {inputs.shape}"
    with own_code(failing, "Give inputs of the shape and kind that it takes."):
        return call(inputs)


def _takes_numbers_only(module: "nn.Module", subject: Subject) -> bool:
    """Whether rows of whole numbers are no codes of tokens to this module, but numbers."""
    split = next(iter(subject.splits.values()))
    if split.inputs is None or split.inputs.ndim != 2 or split.inputs.dtype.kind not in "iu":
        return False
    for kind, is_right in ((split.inputs.dtype, False), (np.dtype(float), True)):
        try:
            _outputs(module, split.inputs[:2].astype(kind))
        except UserError:
            continue
        return is_right
    return False


def _as_numbers(subject: Subject) -> Subject:
    splits = {
        name: split if split.inputs is None else replace(split, inputs=as_float64(split.inputs))
        for name, split in subject.splits.items()
    }
    return replace(subject, splits=splits)


def _outputs(module: "nn.Module", inputs: np.ndarray) -> np.ndarray:
    import torch

    whole = inputs.dtype.kind in "iu" and inputs.dtype.itemsize >= 4 and inputs.ndim <= 2
    tensor = torch.from_numpy(inputs.astype(np.int64 if whole else np.float32))
    module.eval()
    failing = f"The model ({type(module).__qualname__}) failed on inputs of shape {inputs.shape}"
    with own_code(failing, "Give inputs of the shape that it takes."), torch.no_grad():
        found = module(tensor)
    if not isinstance(found, torch.Tensor):
        raise UserError(
            f"The model ({type(module).__qualname__}) returned a {type(found).__name__}; one tensor "
            "with a row of outputs for each row of inputs was expected."
        )
    return np.asarray(found.float().cpu().numpy())


def function_named(
    reference: str, *, option: str, default: str | None = None
) -> Callable[..., Any]:
    """Return the function that "module:function" or "path/file.py:function" names.

    Importing runs the file: it is the user's own code, named by the user.
    """
    place, _, name = (
        reference.rpartition(":") if _is_factory(reference) else (reference, "", default)
    )
    if name is None:
        raise UserError(f"{option} {reference}: write module:function or file.py:function.")
    module = _file_module(Path(place), option) if place.endswith(".py") else _module(place, option)
    function = getattr(module, name, None)
    if function is None:
        names = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise UserError(f'{option} {reference}: {place} has no "{name}".{nearest(name, names)}')
    if not callable(function):
        raise UserError(
            f"{option} {reference}: {name} is a {type(function).__name__}, no function."
        )
    return function


def _file_module(path: Path, option: str) -> Any:  # Any: a module
    if not path.is_file():
        raise UserError(f"{option} {path}: no such file. Check the path.")
    folder = str(path.parent.resolve())
    name = path.stem
    known = sys.modules.get(name)
    if known is not None and Path(getattr(known, "__file__", "") or "").resolve() == path.resolve():
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    if known is None:
        sys.modules[name] = module  # classes look their module up by name
    try:
        with own_code(f"{path} failed"):
            spec.loader.exec_module(module)
    except UserError:
        sys.modules.pop(name, None)
        raise
    return module


def _module(name: str, option: str) -> Any:  # Any: a module
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        with own_code(f"{option} {name} failed"):
            return importlib.import_module(name)
    except UserError as failed:
        missing = getattr(failed.__cause__, "name", None)
        if not isinstance(failed.__cause__, ModuleNotFoundError):
            raise
        if missing is None or not f"{name}.".startswith(f"{missing}."):
            raise
        raise UserError(
            f'{option} {name}: no module "{missing}" here. Give file.py:function, or run where '
            "the module can be imported."
        ) from None
