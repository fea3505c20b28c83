"""One regime after another, each for a number of generations.

For treatment that starts late, or stops: ``regimes = [replace, fresh]``, ``durations = [10]``.
"""

from __future__ import annotations

from remission.errors import SpecError
from remission.interfaces import Recipe, Regime
from remission.regimes.fresh import Fresh
from remission.regimes.replace import Replace


class Stages(Regime):
    """Regime i holds for ``durations[i]`` generations; the last one goes on.

    The pool is shared: an *accumulate* that starts late finds all earlier batches.

    >>> stages = Stages(regimes=(Replace(), Fresh(share=0.5)), durations=(2,))
    >>> [len(stages.recipe(t, 10).arrivals) for t in (1, 2, 3)]
    [1, 1, 2]
    """

    regimes: tuple[Regime, ...] = (Replace(), Fresh())
    durations: tuple[int, ...] = (10,)

    def check(self) -> None:
        """One duration per regime; that of the last may be left out."""
        if not self.regimes:
            raise SpecError("stages: 'regimes' is empty. Name at least one, as in regimes = ['replace', 'fresh'].")
        if not len(self.regimes) - 1 <= len(self.durations) <= len(self.regimes):
            raise SpecError(
                f"stages: {len(self.regimes)} regimes need {max(0, len(self.regimes) - 1)} durations (the last regime "
                f"goes on). Got {len(self.durations)}."
            )
        if any(duration < 1 for duration in self.durations):
            raise SpecError(f"stages: every duration is at least 1 generation. Got {list(self.durations)}.")

    def _index(self, t: int) -> int:
        end = 0
        for index, duration in enumerate(self.durations):
            end += duration
            if t <= end:
                return index
        return len(self.regimes) - 1

    def recipe(self, t: int, n: int) -> Recipe:
        """The recipe of the regime in force."""
        return self.regimes[self._index(t)].recipe(t, n)

    def first_batch(self, t: int) -> int:
        """The oldest batch that the regime in force or a later one needs."""
        return min(regime.first_batch(t) for regime in self.regimes[self._index(t) :])

    @property
    def pins_first(self) -> bool:
        """If any stage pins it."""
        return any(regime.pins_first for regime in self.regimes)

    @property
    def oldest_model(self) -> int:
        """The largest lag."""
        return max(regime.oldest_model for regime in self.regimes)

    def check_generations(self, generations: int) -> None:
        """The last stage must begin within the run."""
        begins = 1 + sum(self.durations[: len(self.regimes) - 1])
        if begins > generations:
            raise SpecError(
                f"stages: the last regime would begin in generation {begins}, but the run has {generations}. "
                f"Shorten the durations or raise generations."
            )
        for regime in self.regimes:
            regime.check_generations(generations)
