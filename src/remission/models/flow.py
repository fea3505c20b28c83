"""Flow matching: a network learns the velocity from noise to data, and an equation is solved to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from remission.models._denoising import Denoising

if TYPE_CHECKING:
    from remission.networks import noise


class Flow(Denoising):
    """dx/dt = v(x, t) from a standard normal at t = 0 to the data at t = 1.

    With x_t = (1 - t) z + t x for noise z and an item x, the network v minimises the mean of |v(x_t, t) - (x - z)|^2 over
    items, noise and times (rectified flow). Items are taken less the mean and over the spread of the training set; pictures
    that are drawn are cut to 0 .. 1, and so is what every step of the solver aims at. Pictures from 12 pixels a side get a
    U-Net, smaller ones and vectors a dense network; the dense networks of up to 8 replicates are trained at once.

    Captioned items: captions are drawn from those of the training set, the picture given the caption, whose network knows
    the mean of the learned vectors of its tokens (so not their order). :meth:`render` draws pictures of given captions.
    ``guidance`` w follows u + w (c - u) with and without caption. ``bias`` multiplies the variance of the initial noise
    (lambda of the autophagy papers). Both, and too few ``sampling_steps``, buy quality with diversity.

    In collapse coverage and recall fall, and pictures drift to what the network draws most easily; with few training steps
    they drift to noise instead.

    Attributes:
        network: ``unet``, ``dense``, or by the size of items (``auto``).
        width: channels of the U-Net, a multiple of 8.
        hidden: width of the dense network; by default 64 for items of up to 128 numbers, else 256.
        depth: blocks of the U-Net at its lower level, or of the dense network.
        steps, batch: of a training. ``warm_steps``, when not 0, instead of ``steps`` from a previous state.
        rate, warmup: the highest learning rate and the steps until it.
        weight_decay: of AdamW, on matrices.
        ema: decay of averaged weights, which are then the model (0: the last weights).
        precision: of training and drawing; ``auto``: bfloat16 where it is measured to be faster.
        silent: share of captions left out in training, which guidance needs.
        clusters: pictures without captions are cut into so many clusters by k-means, at most one per 50, whose numbers take
            the place of captions: x is drawn from the share of a cluster, then p(x | cluster). The network learns
            the shape of things several times as fast. 0: none; by default 100 for a U-Net, none for a dense network.
            A warm start keeps the centres.
        sampling_steps: of the solver; ``midpoint`` and ``heun`` ask the network twice a step, ``euler`` once.
        solver: of the equation. ``midpoint`` is by far the most faithful: for normal data and an exact network 8 steps keep
            the variance to within 0.1 %, where 16 steps of ``euler`` lose 15 %, in every generation anew.
        times: of training: ``uniform``, or ``logit-normal``, which favours the middle.

    Raises:
        SpecError: a U-Net for vectors, guidance without captions.
        FitError: a loss that is no number. DataError: captions of another vocabulary.

    Source: Lipman et al., "Flow matching for generative modeling" (arXiv 2210.02747); Liu et al., "Flow straight and fast"
    (arXiv 2209.03003); guidance: Ho and Salimans (arXiv 2207.12598); times: Esser et al. (arXiv 2403.03206).

    >>> Flow(width=16, solver="heun").label
    'flow[width=16,solver=heun]'
    """

    solver: Literal["euler", "midpoint", "heun"] = "midpoint"
    times: Literal["uniform", "logit-normal"] = "uniform"

    def process(self) -> noise.Flow:
        """The straight way from noise to data."""
        from remission.networks import noise

        return noise.Flow(self.times, self.solver)
