"""How models are sampled."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remission.component import Component


class Sampling(Component):
    """How models are sampled. A model refuses what it does not know (see ``Model.knows``).

    Attributes:
        bias: lambda of the autophagy papers: the spread of what is drawn is multiplied by it (a Gaussian is drawn
            from N(mu, bias * s^2)); below 1 quality is bought with diversity.
        temperature: probabilities are raised to 1 / temperature.
        top_k: only the k most probable symbols (0: all).
        top_p: only the most probable symbols that together reach this mass.
        min_p: only symbols at least this share as probable as the most probable one.
        repetition: log-odds of tokens that are there already are divided (positive) or multiplied (negative) by it.
        no_repeat: no n-gram of this length twice in one text (0: no rule).
        beams: the most probable text by a search of that width instead of a draw (1: a draw).
        guidance: w of classifier-free guidance, u + w (c - u) for conditional c and unconditional u; above 1
            narrows each class.
    """

    bias: Annotated[float, Meta(gt=0)] = 1.0
    temperature: Annotated[float, Meta(gt=0)] = 1.0
    top_k: Annotated[int, Meta(ge=0)] = 0
    top_p: Annotated[float, Meta(gt=0, le=1)] = 1.0
    min_p: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    repetition: Annotated[float, Meta(ge=1)] = 1.0
    no_repeat: Annotated[int, Meta(ge=0)] = 0
    beams: Annotated[int, Meta(ge=1)] = 1
    guidance: Annotated[float, Meta(ge=0)] = 1.0

    @property
    def used(self) -> set[str]:
        """The names of the options that are not at their neutral value."""
        return {key for key, value in self.table().items() if key != "kind" and value != getattr(type(self), key)}
