"""A diffusion model (DDPM): a network learns to take noise away, and few steps of DDIM draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from remission.errors import SpecError
from remission.models._denoising import Denoising

if TYPE_CHECKING:
    from remission.networks import noise


class Diffusion(Denoising):
    """x_k = sqrt(a_k) x + sqrt(1 - a_k) z over ``levels`` levels of noise, undone step by step.

    The network minimises the mean squared error of its answer for random items, noise z and levels k: of the noise z, or of
    v = sqrt(a_k) z - sqrt(1 - a_k) x. Drawing follows DDIM over ``sampling_steps`` of the levels, with fresh noise of
    ``eta`` times the spread of ancestral sampling. Items are taken less the mean and over the spread of the training set;
    pictures that are drawn are cut to 0 .. 1, and so is what every step guesses. Pictures from 12 pixels a side get a
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
        sampling_steps: S, how many levels are visited when drawing. With ``eta`` = 0, normal data and an exact network the
            variance shrinks by the factor cos(pi / (2 S))^(2 S), about 1 - 2.5 / S, in every generation anew.
        levels: K.
        schedule: a_k follows a squared ``cosine``, or noise is added in ``linear`` growing amounts.
        prediction: the network answers ``v`` or the ``noise``.
        eta: 0: the same noise gives the same item; 1: ancestral sampling.

    Raises:
        SpecError: more sampling steps than levels, a U-Net for vectors, guidance without captions.
        FitError: a loss that is no number. DataError: captions of another vocabulary.

    Source: Ho et al. (arXiv 2006.11239), linear schedule and noise; Nichol and Dhariwal (arXiv 2102.09672), cosine; Salimans
    and Ho (arXiv 2202.00512), v; Song et al., DDIM (arXiv 2010.02502); guidance: Ho and Salimans (arXiv 2207.12598).

    >>> Diffusion(schedule="linear", prediction="noise").label
    'diffusion[schedule=linear,prediction=noise]'
    """

    sampling_steps: Annotated[int, Meta(ge=1)] = 25
    levels: Annotated[int, Meta(ge=2)] = 1000
    schedule: Literal["cosine", "linear"] = "cosine"
    prediction: Literal["v", "noise"] = "v"
    eta: Annotated[float, Meta(ge=0, le=1)] = 0.0

    def check(self) -> None:
        """No more steps than levels, and a rate that reaches its height."""
        super().check()
        if self.sampling_steps > self.levels:
            raise SpecError(
                f"diffusion: {self.sampling_steps} sampling steps cannot visit {self.levels} levels. Lower "
                f"'sampling_steps' or raise 'levels'."
            )

    def process(self) -> noise.Diffusion:
        """The noise levels and what is learned of them."""
        from remission.networks import noise

        return noise.Diffusion(self.levels, self.schedule, self.prediction, self.eta)
