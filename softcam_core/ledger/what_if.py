r"""What a model would say if places of an image did not count, without running it.

A place is taken out by removing its share of the evidence above the offset from every class at once. With the shares
s of :math:`A_k - c_k` (`softcam_core.ledger.regions`) and a mask m of the place,

.. math:: z_k' = z_k - \sum_p m_p s_{kp} = c_k + \sum_{ij} \Big(\frac{1}{hw} - w_{ij}\Big) (A_{kij} - c_k)

where w is what the mask takes of each cell's part of the mean (`Geometry.weights_of`): one small sum a class. This is
the sum with some of its terms left out, and not a prediction for an image in which something else is seen there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from softcam_core.explainers.change import Change
from softcam_core.explainers.explanation import Explanation
from softcam_core.imaging.geometry import Geometry


@dataclass(frozen=True, slots=True, eq=False)
class WhatIf:
    """What a model would say.

    Attributes
    ----------
    logits : ndarray, (K,) float64
    probabilities : ndarray, (K,) float64
        As `softcam_core.models.classifier.Classifier.probabilities` makes them.
    """

    logits: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float64]


def without(
    explanation: Explanation, mask: npt.NDArray[np.bool_ | np.floating[Any]], geometry_of_mask: Geometry | None = None
) -> WhatIf:
    """Logits and probabilities of all classes if a place of the image did not count.

    Parameters
    ----------
    explanation : Explanation
        The model's own evidence; of a change between two models the place stays as it was before.
    mask : ndarray, (H, W)
        How much of each pixel is taken out, 0 to 1.
    geometry_of_mask : Geometry, optional
        Whose image has the mask's pixels: the explanation's own by default, another sampling of it
        (`Geometry.sampled`), or one of the analysed area (`Geometry.analysed`).

    Returns
    -------
    WhatIf
        With everything taken out the logits are the offsets: what the model says when it sees nothing.

    Raises
    ------
    ValueError
        For maps that are no evidence, or a mask of another size or with values that are not within 0 to 1.
    """
    if not explanation.is_evidence:
        raise ValueError("a map that does not add up to the prediction cannot have places taken out")
    if mask.size and not (mask.min() >= 0 and mask.max() <= 1):  # not a number is neither
        raise ValueError("a mask with values that are not within 0 to 1")
    geometry = geometry_of_mask or explanation.geometry
    height, width = explanation.grid.shape[1:]
    kept = 1 / (height * width) - geometry.weights_of(mask, (height, width))
    offsets = explanation.offset.astype(np.float64)
    earned = explanation.grid.astype(np.float64) - offsets[:, None, None]
    with np.errstate(invalid="ignore"):  # evidence that is no number gives a logit that is none
        logits = offsets + np.einsum("kij,ij->k", earned, kept)
    if isinstance(explanation, Change):
        logits = explanation.before.logits.astype(np.float64) + logits
    return WhatIf(logits, softmax(logits) if explanation.card.task == "single_label" else expit(logits))
