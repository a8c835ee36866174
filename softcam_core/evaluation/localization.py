"""Whether an explanation points at what people annotated."""

from typing import Any

import numpy as np
import numpy.typing as npt


def pointing_hit(on_image: npt.NDArray[np.floating[Any]], mask: npt.NDArray[np.bool_], margin: float = 0.0) -> bool:
    """Tell whether the highest value lies in the annotation (pointing game, Zhang et al., IJCV 2018, section 5.1).

    Parameters
    ----------
    on_image : ndarray, (H, W)
        A map on the image's pixels, NaN where nothing was analysed.
    mask : ndarray, (H, W) bool
    margin : float
        Pixels around the annotation that count as hits; the paper allows 15.

    Raises
    ------
    ValueError
        When the sizes differ or nothing was analysed.
    """
    _check(on_image, mask)
    row, column = np.unravel_index(np.nanargmax(on_image), mask.shape)
    rows, columns = np.nonzero(mask)
    return bool(rows.size and np.hypot(rows - row, columns - column).min() <= margin)


def relevance_mass(on_image: npt.NDArray[np.floating[Any]], mask: npt.NDArray[np.bool_]) -> float:
    """Share of the positive evidence that lies in the annotation (Arras et al., Information Fusion 2022, eq. 2).

    Parameters
    ----------
    on_image : ndarray, (H, W)
        A map on the image's pixels, NaN where nothing was analysed.
    mask : ndarray, (H, W) bool

    Returns
    -------
    float
        In [0, 1]; NaN where no evidence is positive.

    Raises
    ------
    ValueError
        When the sizes differ or nothing was analysed.
    """
    _check(on_image, mask)
    positive = np.clip(np.nan_to_num(on_image, nan=0.0), 0, None).astype(np.float64)
    total = positive.sum()
    return float(positive[mask].sum() / total) if total > 0 else float("nan")


def _check(on_image: npt.NDArray[np.floating[Any]], mask: npt.NDArray[np.bool_]) -> None:
    if on_image.shape != mask.shape:
        raise ValueError(f"map and mask differ in size: {on_image.shape} and {mask.shape}")
    if np.isnan(on_image).all():
        raise ValueError("nothing was analysed")
