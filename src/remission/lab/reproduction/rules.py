"""What a check of a published result is: one number, where it comes from, and the rule that it must keep to."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from remission.component import Component
from remission.errors import SpecError

OFF = 0.1  # a prediction this far off must be rejected

Verdict = Literal["reproduced", "differs", "no power", "not run"]
Rule = Literal["agrees", "near", "published", "inside", "below", "above", "order", "threshold"]
_TAKES: dict[str, tuple[str, ...]] = {  # what each rule needs, and what it may be given, besides what all have
    "agrees": ("expected",), "near": ("expected", "tolerance"), "published": ("expected", "error"),
    "inside": ("expected",), "below": ("expected",), "above": ("expected",), "order": ("points",),
    "threshold": ("expected", "tolerance"),
}  # fmt: skip
_MAY: dict[str, tuple[str, ...]] = {
    "agrees": ("over",), "near": ("over",), "below": ("over", "share"), "above": ("over", "share"),
    "threshold": ("points", "level"),
}  # fmt: skip

Generation = Annotated[int, Meta(ge=1)] | Literal["last", "sum"]


class Over(Component):
    """What a measured mean is divided by; whatever is left out is as in the check itself."""

    row: str = ""
    point: str = ""
    generation: Generation | None = None


class Check(Component):
    """One number, and the rule it must keep to.

    Values x of ``row`` over replicates become ``times`` (x - ``minus``), then ``scale`` says what of them is meant. ``sum``
    as generation adds up all generations of a replicate.

    ============= ======================================================================================================
    ``agrees``    a closed form: the mean lies within 4 standard errors, and predictions 10 % lower and higher do not
    ``near``      a limit that a finite run comes close to: the 4-standard-error interval lies within ``tolerance``
    ``published`` a mean over few runs, published with its standard ``error``: within 2 joint standard errors
    ``inside``    a published single run: within the 10 % to 90 % quantiles of ours
    ``below``     the 4-standard-error interval (with ``share``: that share of all runs) lies below ``expected``
    ``above``     likewise above
    ``order``     means rise from each of ``points`` to the next, each step by more than 4 standard errors
    ``threshold`` where the curve over the swept number crosses ``level`` (without one: where it is lowest) is known to
                  within ``tolerance``
    ============= ======================================================================================================

    Attributes:
        quantity: what it is, in words.
        point: the grid point, by its name.
        points: several; for a threshold all when left out.
        source: where the expected number comes from.
    """

    quantity: str
    row: str
    rule: Rule
    source: str
    expected: float | None = None
    point: str = ""
    points: tuple[str, ...] = ()
    generation: Generation = "last"
    scale: Literal["mean", "median", "mean-log", "variance"] = "mean"
    minus: float = 0.0
    times: float = 1.0
    over: Over | None = None
    tolerance: Annotated[float, Meta(gt=0)] | None = None
    error: Annotated[float, Meta(gt=0)] | None = None
    share: Annotated[float, Meta(gt=0, le=1)] | None = None
    level: float | None = None

    def check(self) -> None:
        """Each rule gets what it needs and nothing that it would ignore."""
        needs, may = _TAKES[self.rule], _MAY.get(self.rule, ())
        for key in ("expected", "tolerance", "error", "share", "level", "points", "over"):
            given = getattr(self, key) not in (None, ())
            if key in needs and not given:
                raise SpecError(f"check '{self.quantity}': rule '{self.rule}' needs '{key}'.")
            if given and key not in needs + may:
                raise SpecError(f"check '{self.quantity}': rule '{self.rule}' makes no use of '{key}'. Leave it out.")
        if self.rule == "agrees" and self.expected == 0:
            raise SpecError(
                f"check '{self.quantity}': nothing is 10 % off 0. Use another rule, or shift it by 'minus'."
            )
        if self.tolerance is not None and self.tolerance > OFF * abs(self.expected or 0.0):
            raise SpecError(f"check '{self.quantity}': a 'tolerance' above 10 % of the expected value proves nothing.")
        if self.rule == "order" and len(self.points) < 2:
            raise SpecError(f"check '{self.quantity}': an order needs two points or more.")

    @property
    def plain(self) -> bool:
        """Whether the expected number is in the units of the row itself."""
        return (
            self.over is None
            and self.scale in ("mean", "median")
            and (self.minus, self.times) == (0.0, 1.0)
            and self.generation != "sum"
        )

    @property
    def expects(self) -> str:
        """What is expected, as a few characters."""
        if self.rule == "order":
            return " < ".join(point.rpartition("=")[2] if "(" not in point else point for point in self.points)
        number = f"{self.expected:.5g}"
        runs = (
            "" if self.share is None else " in every run" if self.share == 1 else f" in {100 * self.share:g} % of runs"
        )
        sign = {"below": "< ", "above": "> "}.get(self.rule, "")
        spread = self.error if self.rule == "published" else self.tolerance
        return sign + number + (f" ± {spread:g}" if spread is not None else "") + runs
