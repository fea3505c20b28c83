"""Profiles: which watermarks to look for, in which tokens. The keys live apart."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from remission import spec
from remission.documents import Documents
from remission.errors import DataError, SpecError, need
from remission.watermarking import Key, TextWatermark, Tokens, Watermark

SCHEMA = "remission/watermark-profiles/1"
TOGETHER = 1000  # texts that are cut into tokens at once


@dataclass(frozen=True)
class Profile:
    """A watermark to look for.

    Attributes:
        name: what reports call it.
        mark: scheme, dialect and parameters.
        tokenizer: a tokenizer.json or a folder that has one; empty: documents are token numbers already.
        lead: text put before every document before it is cut, such as the blank that generated text often begins with.
    """

    name: str
    mark: TextWatermark
    tokenizer: str = ""
    lead: str = ""


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A profile with a key."""

    profile: Profile
    key: Key

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self.profile.name} / {self.key.name}"


def load_profiles(path: Path) -> list[Profile]:
    """Profiles of a JSON file: ``{"schema": ..., "profiles": [{"name": ..., "kind": "gumbel", "tokenizer": ...}]}``.

    Every other entry is a parameter of the scheme. ``tokenizer`` is relative to the file. ``lead`` may be a list, which
    gives a profile for each. Raises DataError, SpecError.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"There is no file of profiles '{path}'. See docs/watermarks.md for one to start from."
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' is no JSON that can be read: {error}.") from None
    table = content.get("profiles") if isinstance(content, dict) else None
    if not isinstance(table, list) or not table or content.get("schema") != SCHEMA:
        raise DataError(f'\'{path}\' holds no profiles. It needs {{"schema": "{SCHEMA}", "profiles": [...]}}.')
    found = [one for number, row in enumerate(table) for one in _profiles(path, number, row)]
    names = [one.name for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SpecError(f"{path}: the profile name '{twice[0]}' comes twice. Give each a 'name' of its own.")
    return found


def _profiles(path: Path, number: int, row: Any) -> list[Profile]:
    if not isinstance(row, dict) or not isinstance(row.get("kind"), str):
        raise SpecError(f"{path}: profile {number} has no 'kind', such as 'gumbel'. See `remission list watermarks`.")
    row = dict(row)
    name, tokenizer, leads = row.pop("name", row["kind"]), row.pop("tokenizer", ""), row.pop("lead", "")
    secret = sorted({"key", "keys"} & set(row))
    if secret:
        raise SpecError(
            f"{path}: profile '{name}' holds a '{secret[0]}'. Keys live in a file of their own, see --keys."
        )
    leads = leads if isinstance(leads, list) else [leads]
    if not isinstance(name, str) or not isinstance(tokenizer, str) or not all(isinstance(one, str) for one in leads):
        raise SpecError(f"{path}: 'name', 'tokenizer' and 'lead' of profile {number} are text.")
    mark = text_mark(row, f"profile '{name}'")
    if tokenizer and (path.parent / tokenizer).exists():
        tokenizer = str(path.parent / tokenizer)
    return [Profile(name + (f" {lead!r}" if len(leads) > 1 else ""), mark, tokenizer, lead) for lead in leads]


def text_mark(table: dict[str, Any], what: str) -> TextWatermark:
    """A watermark of text from plain values. Raises SpecError."""
    mark: Watermark = spec.build(Watermark, table, what)
    if not isinstance(mark, TextWatermark):
        raise SpecError(f"{what}: '{mark.name()}' marks pictures, and here are texts. Choose a scheme of text.")
    return mark


def hypotheses(profiles: Sequence[Profile], keys: Sequence[Key]) -> tuple[list[Hypothesis], list[str]]:
    """Every profile with every key that it can use; and what is left over, in words.

    Raises:
        SpecError: no profile can use any key.
    """
    found = [Hypothesis(profile, key) for profile in profiles for key in keys if _fits(profile.mark, key)]
    if not found:
        profiles[0].mark.check_key(keys[0])  # says why, where it can
        raise SpecError(
            "None of the keys fits any of the profiles. `watermark keys new --scheme ...` makes one that does."
        )
    idle = [one.name for one in profiles if all(other.profile is not one for other in found)]
    unused = [
        key.name for key in keys if all(one.key is not key for one in found) and not key.name.startswith("public")
    ]
    left = [f"not looked for, because no key fits the profile: {', '.join(idle)}"] if idle else []
    left += [f"not used, because the key fits no profile: {', '.join(unused)}"] if unused else []
    return found, left


def _fits(mark: TextWatermark, key: Key) -> bool:
    """Whether a scheme can use a key, and would have made one like it: of one value, or of several."""
    several = len(mark.random_key(np.random.default_rng(0)).values) > 1
    try:
        mark.check_key(key)
    except SpecError:
        return False
    return several == (len(key.values) > 1)


class Cutter:
    """Cuts documents into tokens, once for each tokenizer and lead."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents
        self._made: dict[tuple[str, str], Tokens] = {}

    def tokens(self, profile: Profile) -> Tokens:
        """The tokens of all documents. Raises DataError, MissingExtra."""
        named = (profile.tokenizer, profile.lead)
        if named not in self._made:
            self._made[named] = self._cut(*named)
        return self._made[named]

    def _cut(self, tokenizer: str, lead: str) -> Tokens:
        items = self.documents.items
        if not tokenizer:
            if any(isinstance(item, str) for item in items):
                raise SpecError(
                    "These documents are text, and a profile names no tokenizer. Give the profile the 'tokenizer' of the model "
                    "that may have written them, or read token numbers (--tokens FIELD)."
                )
            return Tokens.of(items)
        if not all(isinstance(item, str) for item in items):
            raise SpecError("These documents are token numbers already, and a profile names a tokenizer. Remove one.")
        made = _tokenizer(tokenizer)
        texts: list[Any] = []
        for begun in range(0, len(items), TOGETHER):
            some = [lead + str(item) for item in items[begun : begun + TOGETHER]]
            texts += [code.ids for code in made.encode_batch(some, add_special_tokens=False)]
        return Tokens.of(texts)


@functools.lru_cache(maxsize=4)
def _tokenizer(name: str) -> Any:
    need("deep", "cutting text into tokens", "tokenizers")
    from remission.networks import vocabulary
    from remission.networks.checkpoint import folder_of

    return vocabulary.load(folder_of(name, what="tokenizer"))
