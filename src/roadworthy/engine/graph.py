"""From names of parameters to a graph: what each function needs, found before anything runs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from roadworthy.engine.marks import ArtifactMark, CheckMark
from roadworthy.engine.missing import Missing
from roadworthy.engine.registry import Marked, Registry
from roadworthy.engine.suggestion import suggestion
from roadworthy.errors import UserError

SPLITS = ("train", "validation", "test", "production", "unlabelled", "proof")

Fields = Mapping[str, Any]  # Any: a field may hold whatever a function takes
Options = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Need:
    """A parameter and the field or node that fills it.

    An optional one gets None where that is missing, not applicable, or given by nobody.
    """

    parameter: str
    name: str
    optional: bool


@dataclass(frozen=True)
class Node:
    """An artifact or check, of one split where it is per split."""

    name: str
    marked: Marked
    mark: ArtifactMark | CheckMark
    split: str | None
    needs: tuple[Need, ...]
    options: Mapping[str, object]
    takes_rng: bool

    @property
    def place(self) -> str:
        """Kind, name, file and line, for messages."""
        return f"{self.marked.kind} {self.name} ({self.marked.place})"

    @property
    def is_stored(self) -> bool:
        """Whether the value is data that the store can hold."""
        return isinstance(self.mark, CheckMark) or self.mark.stored


@dataclass(frozen=True)
class Graph:
    """What the requested names need.

    Parameters
    ----------
    nodes : mapping of str to Node
        Needs come before what needs them.
    fields : mapping of str to object
        Of the subject, and `Missing` for those that a split lacks beside the others.
    missing : mapping of str to Missing
        Nodes that cannot be computed, with the field that one of their needs lacks.
    problems : mapping of str to str
        Nodes whose needs cannot be resolved, with the message for who wrote them.
    """

    nodes: Mapping[str, Node]
    fields: Fields
    missing: Mapping[str, Missing]
    problems: Mapping[str, str]


def resolve(
    registry: Registry, fields: Fields, names: Iterable[str], options: Options | None = None
) -> Graph:
    """Find everything that `names` need.

    Raises
    ------
    UserError
        When one of `names`, or a name in `options`, does not exist.
    """
    resolver = _Resolver(registry, fields, options or {})
    for name in names:
        if not resolver.exists(name):
            raise UserError(
                f'There is no field, artifact or check "{name}".{resolver.nearest(name)}'
            )
        resolver.visit(name)
    return resolver.graph()


def exists(registry: Registry, fields: Fields, name: str) -> bool:
    """Whether a name is a field (perhaps missing), an artifact or a check."""
    return _Resolver(registry, fields, {}).exists(name)


@dataclass(frozen=True)
class _Problem:
    """Why a node cannot be resolved: the chain from it down to the last that can, and the end."""

    chain: tuple[Node, ...]
    unknown: str | None = None
    again: str | None = None


class _Resolver:
    def __init__(self, registry: Registry, fields: Fields, options: Options) -> None:
        self._registry = registry
        self._fields = dict(fields)
        self._templates = {
            name
            for name, marked in registry.artifacts.items()
            if isinstance(marked.mark, ArtifactMark) and marked.mark.per == "split"
        }
        self._families = {
            rest for split, rest in map(divided, fields) if split is not None and rest
        }
        self._nodes: dict[str, Node] = {}
        self._problems: dict[str, _Problem] = {}
        self._open: dict[str, Node] = {}
        self._options = options
        self._refuse_unknown_options()

    def exists(self, name: str) -> bool:
        """Whether a name is a field or can be looked up."""
        return name in self._fields or self._lookup(name) is not None or self._is_lacking(name)

    def visit(self, name: str) -> _Problem | None:
        """Resolve a name and all that it needs; return what stands in the way."""
        if name in self._fields or name in self._nodes:
            return self._problems.get(name)
        marked = self._lookup(name)
        if marked is None:
            if self._is_lacking(name):
                split, rest = divided(name)
                reason = f"the subject has no {rest} for its {split} rows"
                self._fields[name] = Missing("missing_input", reason)
                return None
            return _Problem((), unknown=name)
        if name in self._open:
            return _Problem((), again=name)
        node = self._node(name, marked)
        self._open[name] = node
        for need in node.needs:
            found = self.visit(need.name)
            if found is not None and not (need.optional and found.unknown == need.name):
                chain = (node, *found.chain)
                self._problems[name] = _Problem(chain, found.unknown, found.again)
                break
        del self._open[name]
        self._nodes[name] = node
        return self._problems.get(name)

    def graph(self) -> Graph:
        """Return what was visited."""
        missing: dict[str, Missing] = {}
        for name, node in self._nodes.items():
            for need in node.needs:
                lack = missing.get(need.name, self._fields.get(need.name))
                if isinstance(lack, Missing) and not need.optional:
                    missing.setdefault(name, lack)
        problems = {name: self._message(problem) for name, problem in self._problems.items()}
        return Graph(self._nodes, self._fields, missing, problems)

    def nearest(self, name: str) -> str:
        """Return a sentence with the nearest known name, and why it is missing where it is."""
        said = suggestion(name, self._known())
        if not said:
            return " `roadworthy list` shows what there is."
        field = self._fields.get(said.split('"')[1])
        return (
            f"{said} (It is missing here: {field.reason}.)" if isinstance(field, Missing) else said
        )

    def _lookup(self, name: str) -> Marked | None:
        marked = self._registry.artifacts.get(name) or self._registry.checks.get(name)
        if marked is not None and name not in self._templates:
            return marked
        split, rest = divided(name)
        return self._registry.artifacts[rest] if split and rest in self._templates else None

    def _is_lacking(self, name: str) -> bool:
        split, rest = divided(name)
        return split is not None and rest in self._families

    def _node(self, name: str, marked: Marked) -> Node:
        assert isinstance(marked.mark, ArtifactMark | CheckMark)
        split = divided(name)[0] if marked.name in self._templates else None
        needs: list[Need] = []
        given = self._options_of(name, marked)
        options: dict[str, object] = {}
        takes_rng = False
        for parameter in marked.parameters:
            if parameter.kind is parameter.KEYWORD_ONLY:
                options[parameter.name] = given.get(parameter.name, parameter.default)
            elif parameter.name == "rng":
                takes_rng = True
            else:
                filled = self._filling(parameter.name, split)
                needs.append(Need(parameter.name, filled, parameter.default is None))
        return Node(name, marked, marked.mark, split, tuple(needs), options, takes_rng)

    def _filling(self, parameter: str, split: str | None) -> str:
        """Return the field or node that fills a parameter of a function of this split."""
        if split is None or divided(parameter)[0] is not None:
            return parameter
        own = f"{split}_{parameter}"
        if own in self._fields or parameter in self._templates:
            return own
        if parameter in self._fields or parameter in self._registry.artifacts:
            return parameter
        return own if parameter in self._families else parameter

    def _options_of(self, name: str, marked: Marked) -> dict[str, object]:
        given = {**self._options.get(marked.name, {}), **self._options.get(name, {})}
        known = [p.name for p in marked.parameters if p.kind is p.KEYWORD_ONLY]
        for option in given:
            if option not in known:
                has = f"Its options: {', '.join(known)}." if known else "It has no options."
                raise UserError(
                    f'{marked.kind} {name} has no option "{option}".'
                    f"{suggestion(option, known)} {has}"
                )
        return given

    def _refuse_unknown_options(self) -> None:
        for name in self._options:
            if self._lookup(name) is None and name not in self._templates:
                raise UserError(
                    f'Options are given for "{name}", which is no artifact or check.'
                    f"{suggestion(name, self._known())}"
                )

    def _known(self) -> set[str]:
        families = {f"{s}_{t}" for s in SPLITS[:-1] for t in self._templates}
        single = (self._registry.artifacts.keys() | self._registry.checks.keys()) - self._templates
        return {*self._fields, *families, *single}

    def _message(self, problem: _Problem) -> str:
        if problem.unknown is not None:
            asked = ", asked for by ".join(node.place for node in reversed(problem.chain))
            return (
                f'No field or artifact "{problem.unknown}", asked for by {asked}.'
                f"{self.nearest(problem.unknown)}"
            )
        path = " needs ".join(node.place for node in problem.chain)
        return (
            f"Circular: {path}, which needs {problem.again} again. Let one of them take what it "
            f"needs from a field, or give {problem.again} as a field."
        )


def divided(name: str) -> tuple[str | None, str]:
    """Return the split in front of a name, and the rest; None where there is no split."""
    split, _, rest = name.partition("_")
    return (split, rest) if split in SPLITS and rest else (None, name)
