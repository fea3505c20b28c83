"""What a regime around another one hands through."""

from __future__ import annotations

from remission.interfaces import Regime


class Wrapper(Regime):
    """A regime that changes the recipe of its ``base`` and nothing about the pool."""

    base: Regime

    def first_batch(self, t: int) -> int:
        """As the base."""
        return self.base.first_batch(t)

    @property
    def pins_first(self) -> bool:
        """As the base."""
        return self.base.pins_first

    @property
    def oldest_model(self) -> int:
        """As the base."""
        return self.base.oldest_model

    def check_generations(self, generations: int) -> None:
        """As the base."""
        self.base.check_generations(generations)
