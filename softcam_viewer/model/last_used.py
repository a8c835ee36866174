"""LastUsed: small results that are worth keeping, a fixed number of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

KEPT = 2000
"""Figures and curves of as many maps: some kilobytes each at most."""

Value = TypeVar("Value")


class LastUsed(Generic[Value]):
    """Results by their questions, those not used for longest forgotten first.

    Parameters
    ----------
    limit : int
        Results that are kept at most.
    """

    def __init__(self, limit: int = KEPT) -> None:
        self._limit = limit
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def get(self, key: Hashable) -> Value | None:
        """Look up a result, which then is the one used last."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: Hashable, value: Value) -> None:
        """Keep a result."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._limit:
            self._values.popitem(last=False)
