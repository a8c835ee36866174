"""What training minimises: cross-entropy plus an elastic net on the evidence."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

L2Form = Literal["norm", "squared"]


def elastic_net(maps: Tensor, l1: float, l2: float, form: L2Form = "norm") -> Tensor:
    r"""Penalty on evidence maps, averaged over samples.

    .. math::

        \frac{1}{B} \sum_{i=1}^{B} \Big( \lambda_1 \sum_{kxy} |A_{ikxy}| + \lambda_2 \lVert A_i \rVert_2^p \Big)

    with p = 1 for ``form="norm"`` and p = 2 for ``form="squared"`` (Djoumessi & Berens, SoftCAM, MIDL 2026,
    section 3). Both terms sum over all classes and cells of one sample, so coefficients depend on K h w.

    Parameters
    ----------
    maps : Tensor, (B, K, h, w)
        Evidence.
    l1, l2 : float
        :math:`\lambda_1, \lambda_2 \ge 0`.
    form : {"norm", "squared"}

    Returns
    -------
    Tensor, ()
        float32 or wider.
    """
    flat = maps.flatten(1)
    if flat.element_size() < 4:  # half precision overflows in these sums
        flat = flat.float()
    penalty = flat.new_zeros(len(flat))
    if l1:
        penalty = penalty + l1 * flat.abs().sum(1)
    if l2:
        # norm() has the gradient 0 for a map of zeros, where sqrt(sum of squares) has NaN.
        penalty = penalty + l2 * (flat.norm(dim=1) if form == "norm" else flat.square().sum(1))
    return penalty.mean()
