"""What an adversary may do to a row of a table: numbers by a share of their spread, a few categories swapped.

Rows are (n, d) with categories as codes and NaN where a value is missing. Missing stays missing: an adversary who
could leave values out would be another one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from roadworthy.errors import UserError
from roadworthy.perturbation.noise import RowNoise


@dataclass(frozen=True)
class Switch:
    """Columns that change together, from one of a few patterns to another.

    A category column is a switch of one column, whose patterns are its codes; so is a column of 0 and 1. A group of
    0/1 columns of which one is 1 is a switch of as many columns.

    Parameters
    ----------
    columns : tuple of int
    patterns : tuple of tuple of float
        Those seen in training, at least two.
    coded : bool
        A category, whose code may be any of a row's: one never seen in training may be left, not entered.
    """

    columns: tuple[int, ...]
    patterns: tuple[tuple[float, ...], ...]
    coded: bool


@dataclass(frozen=True, eq=False)
class Cells:
    """All rows within the budgets of their columns. A `Threat` whose size is 1: distances are shares of the budgets.

    Parameters
    ----------
    down, up : (d,) float64 ndarray
        How far a number may fall and rise, in its own unit; 0 for what is no number or must stay.
    low, high : (d,) float64 ndarray
        Range in training; a row that is outside of it may stay there and go no further.
    whole : (d,) bool ndarray
        Columns that change by whole numbers alone.
    switches : tuple of Switch
        What may be swapped.
    swaps : int
        How many of them at most, in one row.
    """

    down: np.ndarray
    up: np.ndarray
    low: np.ndarray
    high: np.ndarray
    whole: np.ndarray
    switches: tuple[Switch, ...]
    swaps: int

    def __post_init__(self) -> None:
        for budgets in (self.down, self.up):
            if not (budgets >= 0).all():
                raise UserError(
                    f"Budgets of columns must be at least 0, and one is {min(budgets)}."
                )
        if self.swaps < 0:
            raise UserError(f"The number of swaps must be at least 0, and it is {self.swaps}.")

    @property
    def name(self) -> str:
        """See `Threat`."""
        numbers = int(((self.down > 0) | (self.up > 0)).sum())
        said = f"{numbers} number{'' if numbers == 1 else 's'} within the budget of each"
        if not self.switches:
            return said
        of = len(self.switches)
        return f"{said}, and swap at most {self.swaps} of {of} categor{'y' if of == 1 else 'ies'}"

    @property
    def size(self) -> float:
        """See `Threat`."""
        can_swap = self.swaps > 0 and len(self.switches) > 0
        return float(can_swap or bool((self.down > 0).any()) or bool((self.up > 0).any()))

    def project(self, origin: Tensor, moved: Tensor) -> Tensor:
        """See `Threat`. Of more swaps than allowed those of the first switches are kept."""
        found = self.numbers(origin, moved)
        used = torch.zeros(len(origin), dtype=torch.int64, device=origin.device)
        for switch, (at, patterns) in zip(self.switches, self._places, strict=True):
            here = origin[:, at]
            far = (moved[:, at][:, None] - patterns).abs().sum(2)  # (n, patterns)
            nearest, which = far.nan_to_num(nan=torch.inf).min(1)
            goes = nearest < (moved[:, at] - here).abs().sum(1)
            goes &= self._may_leave(switch, here, patterns) & (used < self.swaps)
            goes &= (patterns[which] != here).any(1)
            used += goes
            found[:, at] = torch.where(goes[:, None], patterns[which], here)
        return found

    def numbers(self, origin: Tensor, moved: Tensor, *, exact: bool = True) -> Tensor:
        """Return the numbers of an allowed point near `moved`, all else as in `origin`.

        Without `exact`, whole numbers may become others: where a search stands between them.
        """
        least, most = self._reach(origin, exact)
        start = origin.double()
        change = (moved.double() - start).nan_to_num(nan=0.0)
        if exact:
            change = torch.where(self._whole, change.round(), change)
        change = torch.minimum(torch.maximum(change, least), most)
        found = (start + change).to(origin.dtype)
        gone = found.double() - start  # rounding to float32 may have led a step too far
        found = torch.where((gone > most) | (gone < least), torch.nextafter(found, origin), found)
        return torch.where(change == 0, origin, found)

    def distance(self, origin: Tensor, moved: Tensor) -> Tensor:
        """See `Threat`: the largest share of a budget that is used up."""
        numbers = torch.where(self._switched, 0.0, self._shares(origin, moved).abs()).amax(1)
        swapped = self.swapped(origin, moved).sum(1)
        return torch.maximum(numbers, _share(swapped, self.swaps)).to(origin.dtype)

    def used(self, origin: Tensor, moved: Tensor) -> Tensor:
        """Return the share of its budget by which each number moved, 1 for what was swapped: (n, d) float64."""
        found = self._shares(origin, moved)
        stays = (moved == origin) | (moved.isnan() & origin.isnan())
        return torch.where(self._switched, (~stays).double(), found)

    def _shares(self, origin: Tensor, moved: Tensor) -> Tensor:
        change = (moved.double() - origin.double()).nan_to_num(nan=0.0)
        share = torch.where(change > 0, change / self._up, change / self._down)
        return torch.where(change == 0, 0.0, share)

    def allows(self, origin: Tensor, moved: Tensor) -> Tensor:
        """See `Threat`. Nothing is forgiven: `project` leaves no rounding behind."""
        least, most = self._reach(origin, True)
        change = moved.double() - origin.double()
        stays = (moved == origin) | (moved.isnan() & origin.isnan())
        fits = (change >= least) & (change <= most) & torch.isfinite(moved)
        fits &= ~self._whole | (change == change.round())
        valid = (stays | fits | self._switched).all(1)
        for switch, (at, patterns) in zip(self.switches, self._places, strict=True):
            here, there = origin[:, at], moved[:, at]
            known = (there[:, None] == patterns).all(2).any(1)
            valid &= stays[:, at].all(1) | (known & self._may_leave(switch, here, patterns))
        return valid & (self.swapped(origin, moved).sum(1) <= self.swaps)

    def start(self, origin: Tensor, noise: RowNoise, draw: str) -> Tensor:
        """See `Threat`. Numbers uniform within their budgets, categories as they are."""
        drawn = torch.from_numpy(noise.uniform(tuple(origin.shape[1:]), draw)).to(origin)
        return self.numbers(origin, origin + drawn * (self._up + self._down) - self._down)

    def ascend(self, gradient: Tensor) -> Tensor:
        """See `Threat`. Every number by its whole budget; categories have no slope."""
        slope = gradient.nan_to_num(nan=0.0)
        step = torch.where(slope > 0, self._up, -self._down)
        return torch.where(slope == 0, 0.0, step).to(gradient.dtype)

    def swapped(self, origin: Tensor, moved: Tensor) -> Tensor:
        """Return which switches are not as they were: (n, switches) bool."""
        stays = (moved == origin) | (moved.isnan() & origin.isnan())
        if not self.switches:
            return torch.zeros(len(origin), 0, dtype=torch.bool, device=origin.device)
        return torch.stack([~stays[:, at].all(1) for at, _ in self._places], dim=1)

    def legal(self, origin: Tensor) -> Tensor:
        """Return which of the `options` each row may be swapped to: (n, a) bool."""
        found = [torch.zeros(len(origin), 0, dtype=torch.bool)]
        for switch, (at, patterns) in zip(self.switches, self._places, strict=True):
            here = origin[:, at]
            differs = (here[:, None] != patterns).any(2)
            found.append(differs & self._may_leave(switch, here, patterns)[:, None])
        return torch.cat(found, dim=1)

    @cached_property
    def options(self) -> "Options":
        """Every pattern of every switch, one after another."""
        return Options.of(self)

    def _may_leave(self, switch: Switch, here: Tensor, patterns: Tensor) -> Tensor:
        if switch.coded:
            return ~here.isnan().any(1)
        return (here[:, None] == patterns).all(2).any(1)

    def _reach(self, origin: Tensor, exact: bool) -> tuple[Tensor, Tensor]:
        """Return the least and the greatest change of every number: (n, d) float64."""
        start = origin.double().nan_to_num()
        least = torch.maximum(-self._down, (self._low - start).clamp_max(0))
        most = torch.minimum(self._up, (self._high - start).clamp_min(0))
        if not exact:
            return least, most
        whole = self._whole
        return torch.where(whole, least.trunc(), least), torch.where(whole, most.trunc(), most)

    @cached_property
    def _places(self) -> list[tuple[Tensor, Tensor]]:
        return [
            (torch.tensor(s.columns), torch.tensor(s.patterns, dtype=torch.float32))
            for s in self.switches
        ]

    @cached_property
    def _switched(self) -> Tensor:
        found = torch.zeros(len(self.down), dtype=torch.bool)
        for switch in self.switches:
            found[list(switch.columns)] = True
        return found

    @cached_property
    def _down(self) -> Tensor:
        return torch.from_numpy(self.down)

    @cached_property
    def _up(self) -> Tensor:
        return torch.from_numpy(self.up)

    @cached_property
    def _low(self) -> Tensor:
        return torch.from_numpy(self.low)

    @cached_property
    def _high(self) -> Tensor:
        return torch.from_numpy(self.high)

    @cached_property
    def _whole(self) -> Tensor:
        return torch.from_numpy(self.whole)


@dataclass(frozen=True, eq=False)
class Options:
    """Patterns that switches may be set to.

    Parameters
    ----------
    cells : (a, d) Tensor
        Of each option: its pattern in its columns.
    covers : (a, d) bool Tensor
        Its columns.
    switch : (a,) int64 Tensor
    """

    cells: Tensor
    covers: Tensor
    switch: Tensor

    @classmethod
    def of(cls, threat: Cells) -> "Options":
        """List the options of a threat."""
        d = len(threat.down)
        rows = [(i, s.columns, p) for i, s in enumerate(threat.switches) for p in s.patterns]
        cells, covers = torch.zeros(len(rows), d), torch.zeros(len(rows), d, dtype=torch.bool)
        for a, (_, columns, pattern) in enumerate(rows):
            cells[a, list(columns)] = torch.tensor(pattern, dtype=torch.float32)
            covers[a, list(columns)] = True
        return cls(cells, covers, torch.tensor([i for i, *_ in rows], dtype=torch.int64))

    def __len__(self) -> int:
        return len(self.switch)

    def put(self, rows: Tensor, option: Tensor) -> Tensor:
        """Return rows with one option each put in place: (n, d)."""
        return torch.where(self.covers[option], self.cells[option], rows)


def _share(swapped: Tensor, most: int) -> Tensor:
    if most == 0:
        return torch.where(swapped > 0, torch.inf, 0.0).double()
    return swapped.double() / most


def as_facts(threat: Cells) -> dict[str, Any]:  # Any: arrays, numbers and tuples by name
    """Return a threat as arrays and tuples, which can be stored; `from_facts` makes it again."""
    arrays = {name: getattr(threat, name) for name in ("down", "up", "low", "high", "whole")}
    switches = tuple((s.columns, s.patterns, s.coded) for s in threat.switches)
    return {**arrays, "switches": switches, "swaps": threat.swaps}


def from_facts(facts: Mapping[str, Any]) -> Cells:  # Any: see `as_facts`
    """Return the threat that was stored."""
    switches = tuple(
        Switch(tuple(columns), tuple(tuple(p) for p in patterns), bool(coded))
        for columns, patterns, coded in facts["switches"]
    )
    arrays = {name: np.asarray(facts[name]) for name in ("down", "up", "low", "high", "whole")}
    return Cells(**arrays, switches=switches, swaps=int(facts["swaps"]))
