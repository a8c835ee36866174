"""Which coefficients of the elastic net are tried: lists or ranges, all combinations or some at random."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from softcam_core.errors import SettingsError
from softcam_core.training.config import NotNegative, Section

Pair = tuple[float, float]
Seed = Annotated[int, Field(ge=0, lt=2**32)]

_DIGITS = 3  # of drawn coefficients: what a folder is called is what was used


class Values(Section):
    """Coefficients to choose from."""

    values: tuple[NotNegative, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if len(set(self.values)) < len(self.values):
            raise ValueError("each coefficient is given once")
        return self

    def __str__(self) -> str:
        return ", ".join(f"{value:g}" for value in self.values)


class Range(Section):
    """Coefficients between two, their logarithms equally likely."""

    low: float = Field(gt=0)
    high: float = Field(gt=0)

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.low >= self.high:
            raise ValueError("a range starts at its smaller end")
        return self

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


Axis = Values | Range


class Space(Section):
    """What is tried.

    Attributes
    ----------
    l1, l2 : Values or Range
        Of the coefficients ``loss.l1`` and ``loss.l2``.
    search : {"grid", "random"}
        All combinations of lists, or some at random (Bergstra & Bengio, JMLR 13, 2012): from ranges log-uniformly, to
        three digits; from lists alone without repeats.
    trials : int or None
        Combinations that a random search draws. More of them start with the same ones.
    search_seed : int
        Of these draws.
    seeds : tuple of int
        Each combination is trained with each of these; figures are compared by their means.
    """

    l1: Axis
    l2: Axis
    search: Literal["grid", "random"]
    trials: int | None = Field(default=None, ge=1)
    search_seed: Seed = 0
    seeds: tuple[Seed, ...] = Field(default=(0,), min_length=1)

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("each seed is given once")
        lists = [axis for axis in (self.l1, self.l2) if isinstance(axis, Values)]
        if self.search == "grid":
            if len(lists) < 2:
                raise ValueError("a grid needs lists; a range such as 1e-6:1e-3 is for random search")
            if self.trials is not None:
                raise ValueError("the number of trials is for random search; a grid tries all combinations")
            return self
        if self.trials is None:
            raise ValueError("a random search needs the number of trials (--trials)")
        combinations = math.prod(len(axis.values) for axis in lists)
        if len(lists) == 2 and self.trials > combinations:
            raise ValueError(f"the lists have {combinations} combinations, fewer than {self.trials} trials")
        return self


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a sweep.

    Attributes
    ----------
    number : int
        From 1.
    l1, l2 : float
    seed : int
    name : str
        Of its folder.
    """

    number: int
    l1: float
    l2: float
    seed: int
    name: str


def parse_axis(text: str, option: str) -> Axis:
    """Read coefficients from the command line: ``"0,1e-6,1e-5"``, or the range ``"1e-6:1e-3"``.

    Raises
    ------
    SettingsError
        Naming the option, for anything else.
    """
    advice = "Give a list such as 0,1e-6,1e-5, or a range such as 1e-6:1e-3."
    try:
        if ":" in text:
            low, high = (float(part) for part in text.split(":"))
            return Range(low=low, high=high)
        return Values(values=tuple(float(part) for part in text.split(",")))
    except ValidationError as error:
        raise SettingsError(f"{option} {text}", _reasons(error), advice) from error
    except ValueError as error:
        raise SettingsError(f"{option} {text}", "is neither a list nor a range of numbers", advice) from error


def make_space(source: str, **fields: Any) -> Space:  # noqa: ANN401
    """Make a space of fields that a person chose.

    Parameters
    ----------
    source : str
        Where they come from, for error messages.
    **fields
        See `Space`.

    Raises
    ------
    SettingsError
        When they contradict each other.
    """
    try:
        return Space.model_validate(fields)
    except ValidationError as error:
        raise SettingsError(source, _reasons(error), "See `softcam sweep --help`.") from error


def plan(space: Space) -> tuple[Trial, ...]:
    """All trials of a space, in order, always the same."""
    pairs = _grid(space) if space.search == "grid" else _random(space)
    runs = itertools.product(pairs, space.seeds)
    return tuple(
        Trial(number, l1, l2, seed, _name(number, l1, l2, seed if len(space.seeds) > 1 else None))
        for number, ((l1, l2), seed) in enumerate(runs, start=1)
    )


def _name(number: int, l1: float, l2: float, seed: int | None) -> str:
    return f"trial_{number:03d}_l1_{l1:g}_l2_{l2:g}" + ("" if seed is None else f"_seed_{seed}")


def _grid(space: Space) -> list[Pair]:
    assert isinstance(space.l1, Values)
    assert isinstance(space.l2, Values)
    return list(itertools.product(space.l1.values, space.l2.values))


def _random(space: Space) -> list[Pair]:
    assert space.trials is not None
    if isinstance(space.l1, Values) and isinstance(space.l2, Values):
        combinations = _grid(space)
        order = np.random.default_rng(space.search_seed).permutation(len(combinations))
        return [combinations[i] for i in order[: space.trials]]
    # A generator for each draw: draws do not depend on how many there are.
    generators = (np.random.default_rng((space.search_seed, i)) for i in range(space.trials))
    return [(_drawn(space.l1, rng), _drawn(space.l2, rng)) for rng in generators]


def _drawn(axis: Axis, rng: np.random.Generator) -> float:
    if isinstance(axis, Values):
        return axis.values[rng.integers(len(axis.values))]
    drawn = math.exp(rng.uniform(math.log(axis.low), math.log(axis.high)))
    return min(max(float(f"{drawn:.{_DIGITS}g}"), axis.low), axis.high)


def _reasons(error: ValidationError) -> str:
    found = []
    for problem in error.errors():
        # Unions name their members in the location; people want the field.
        place = ".".join(str(part) for part in problem["loc"] if str(part).islower())
        message = str(problem["msg"]).removeprefix("Value error, ")
        found.append(f"{place}: {message[:1].lower()}{message[1:]}" if place else message)
    return "; ".join(dict.fromkeys(found))
