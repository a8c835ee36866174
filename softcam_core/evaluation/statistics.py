"""How sure figures and differences between methods are: over images, or over patients where these are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Groups = npt.NDArray[np.integer]

RESAMPLES = 2000
FLIPS = 9999
_EXACT = 12
"""With as many groups or fewer, all ways to flip their signs are tried."""
_AT_ONCE = 4_000_000  # weights or signs in memory, 32 MB


def means(values: Floats) -> Floats:
    """Mean of each column (N, M) -> (M,), of what is defined in it; NaN where nothing is."""
    defined = ~np.isnan(values)
    counts = defined.sum(0)
    totals = np.where(defined, values, 0.0).sum(0)
    found: Floats = np.divide(totals, counts, out=np.full(values.shape[1], np.nan), where=counts > 0)
    return found


def bootstrap_intervals(
    values: Floats, groups: Groups, *, resamples: int = RESAMPLES, coverage: float = 0.95, seed: int = 0
) -> tuple[Floats, Floats]:
    """Percentile bootstrap intervals of the means of columns (Efron & Tibshirani, 1993, chapter 13).

    Whole groups are drawn with replacement, as many as there are: images of a patient are not independent of each other
    (Davison & Hinkley, 1997, section 3.8).

    Parameters
    ----------
    values : ndarray, (N, M) float64
        Figures of N images; NaN where there is none. All columns share their resamples.
    groups : ndarray, (N,) int
        Images with the same number are drawn together.
    resamples : int
        Those without any figure of a column are left out of its interval.
    coverage : float
        In (0, 1).
    seed : int

    Returns
    -------
    low, high : ndarray, (M,)
        NaN for a column without figures.
    """
    sums, counts = _by_group(values, groups)
    number = len(sums)
    rng = np.random.default_rng(seed)
    drawn: list[Floats] = []
    at_once = max(1, _AT_ONCE // max(number, 1))
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        weights = rng.multinomial(number, np.full(number, 1 / number), size=rows).astype(np.float64)
        totals, images = weights @ sums, weights @ counts
        drawn.append(np.divide(totals, images, out=np.full(totals.shape, np.nan), where=images > 0))
    found = np.concatenate(drawn)
    tail = (1 - coverage) / 2
    low, high = np.full((2, values.shape[1]), np.nan)
    known = ~np.isnan(found).all(0)
    if known.any():
        low[known], high[known] = np.nanquantile(found[:, known], [tail, 1 - tail], axis=0)
    return low, high


def sign_flip_test(differences: Floats, groups: Groups, *, flips: int = FLIPS, seed: int = 0) -> Floats:
    """Paired permutation test of mean differences being 0 (Fisher, The Design of Experiments, 1935, section 21).

    Were two methods alike, a patient's differences would be as likely with the other sign. The p-value is the share of
    flips whose mean is at least as far from 0; of random flips, with what was observed counted as one of them (Phipson
    & Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010, article 39). With 12 groups or fewer all flips are tried.

    Parameters
    ----------
    differences : ndarray, (N, M) float64
        Between two methods, on N images; NaN where one has no figure.
    groups : ndarray, (N,) int
        Images whose signs flip together.
    flips : int
        That are drawn.
    seed : int

    Returns
    -------
    ndarray, (M,)
        Two-sided, in (0, 1]; NaN for a column without differences.
    """
    sums, counts = _by_group(differences, groups)
    number = len(sums)
    # Of two sums that are equal on paper one may come out smaller.
    observed = np.abs(sums.sum(0)) * (1 - 1e-9)
    reached, tried = np.zeros(sums.shape[1]), 0
    if number <= _EXACT:
        codes = np.arange(2**number)[:, None] >> np.arange(number)
        reached, tried = (np.abs((1.0 - 2.0 * (codes & 1)) @ sums) >= observed).sum(0).astype(float), 2**number
    else:
        rng = np.random.default_rng(seed)
        reached, tried = reached + 1, flips + 1
        at_once = max(1, _AT_ONCE // number)
        for start in range(0, flips, at_once):
            signs = rng.integers(0, 2, size=(min(at_once, flips - start), number), dtype=np.int8) * 2.0 - 1.0
            reached += (np.abs(signs @ sums) >= observed).sum(0)
    return np.where(counts.sum(0) > 0, reached / tried, np.nan)


def holm(p: Floats) -> Floats:
    """Correct p-values for having looked at several (Holm, Scand. J. Statist. 6, 1979); NaN do not count.

    Parameters
    ----------
    p : ndarray, (M,)

    Returns
    -------
    ndarray, (M,)
        Where one is below a level, the chance that any such finding is wrong is below it too.
    """
    corrected = np.full(p.shape, np.nan)
    order = np.argsort(p, kind="stable")[: int((~np.isnan(p)).sum())]
    steps = p[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected


def _by_group(values: Floats, groups: Groups) -> tuple[Floats, Floats]:
    """Sum and number of the defined figures of each group, both (G, M)."""
    names, places = np.unique(groups, return_inverse=True)
    defined = ~np.isnan(values)
    sums, counts = np.zeros((2, len(names), values.shape[1]))
    np.add.at(sums, places, np.where(defined, values, 0.0))
    np.add.at(counts, places, defined)
    return sums, counts
