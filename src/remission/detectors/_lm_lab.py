"""A generator that was fitted in the lab, as named arrays: from a run folder or a live model, opened to read tokens."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from remission import registry
from remission.data import Array, Dataset, Floats, Integers, Space
from remission.detectors._lm import COUNT, LIKELIHOOD
from remission.errors import DataError, SpecError, StoreError, did_you_mean, need
from remission.interfaces import Model, State

KINDS = ("causal-lm", "ngram", "transformer")
IMPOSSIBLE = math.log(1e-12)  # per token of a text that a bare chain cannot write
_KEPT = re.compile(r"point-(\d+)-replicates?-(\d+)(?:-(\d+))?-generation-(\d+)\.safetensors")
_WORD = re.compile(r"\n|[^\s]+")
_PART = re.compile(r"\w+(?:['\u2019\-]\w+)*|[^\w\s]")


@dataclass(frozen=True, eq=False)
class Spelling:
    """How text becomes the tokens of a generator.

    Attributes:
        names: the text of every token.
        joiner: what stands between two tokens.
        tokenizer: the folder or file of a tokenizer that cut the text, or None.
        lower: in lower case.
    """

    names: tuple[str, ...]
    joiner: str = ""
    tokenizer: str | None = None
    lower: bool = False

    def encoder(self) -> Callable[[str], Integers | None]:
        """A function from a text to its token numbers; None for a text with a type that the generator does not know."""
        number = {name: place for place, name in reversed(list(enumerate(self.names)))}
        unknown = number.get("<unk>", -1)
        if self.joiner or (self.tokenizer is None and max(map(len, self.names), default=0) <= 1):
            cut = (lambda text: _words(text, number)) if self.joiner else list

            def looked_up(text: str) -> Integers | None:
                found = [number.get(part, unknown) for part in cut(text.lower() if self.lower else text)]
                return None if -1 in found else np.array(found, np.int64)

            return looked_up
        need("deep", "text cut by a tokenizer", "tokenizers")
        from remission.networks import checkpoint, rebuilt, vocabulary

        if self.tokenizer is None:
            made = rebuilt.rebuilt(self.names)
        else:
            made = vocabulary.load(checkpoint.folder_of(self.tokenizer, what="tokenizer"))

        def encoded(text: str) -> Integers | None:
            clean = (text.lower() if self.lower else text).encode("utf-8", "replace").decode("utf-8")
            return vocabulary.encode(made, clean).astype(np.int64)

        return encoded


def _words(text: str, number: Mapping[str, int]) -> list[str]:
    """Text as the tokens of a vocabulary of words: what is no word as it stands is cut into words and signs."""
    out: list[str] = []
    for part in _WORD.findall(text):
        out += [part] if part in number else _PART.findall(part)
    return out


# --- from a run folder or a live model to arrays ------------------------------------------------------------------------


def of_model(model: Model, state: State, replicate: int, spelling: Spelling) -> dict[str, Array]:
    """The generator of one replicate of a fitted model as arrays.

    Raises:
        SpecError: a kind of model whose law cannot be read.
    """
    kind = model.name()
    if kind not in KINDS:
        raise SpecError(f"lab-model reads language models of the lab, not '{kind}'. {did_you_mean(kind, KINDS)}")
    if kind == "ngram":
        arrays = {"blocks": state.blocks[replicate], "size": np.asarray(state.size[replicate])}
        if state.weight is not None:
            arrays["weight"] = state.weight[replicate]
    else:
        arrays = {name: tensor[replicate].numpy() for name, tensor in state.items() if name != "prompts"}
    size = int(
        arrays["size"]
        if kind == "ngram"
        else arrays["block"][1]
        if kind == "causal-lm"
        else len(arrays["embedding"]) - 1
    )
    told = {"model": model.table(), "size": size, "spelling": dataclasses.asdict(spelling)}
    return {"generator": np.array(json.dumps(told))} | {f"weights.{name}": array for name, array in arrays.items()}


def of_run(folder: Path, point: int, replicate: int, generation: int) -> dict[str, Array]:
    """The generator that a run folder keeps, see :func:`kept`.

    Raises:
        StoreError: no run folder, or it keeps no such model.
        SpecError: its model is none of the lab's language models.
    """
    from remission.desk import read_tensors

    path, row = kept(folder, point, replicate, generation)
    tables, facts = _told(folder)
    settings = facts["points"][point]
    changed = sorted(key for key in settings if key.startswith("source.") and settings[key] != facts["points"][0][key])
    if changed:
        raise SpecError(
            f"'{folder}': point {point} has another source than point 0 ({', '.join(changed)}), and only the vocabulary of "
            f"point 0 is stored. Give a point with the same source."
        )
    for key, value in settings.items():
        part, _, name = key.partition(".")
        if part in ("model", "source"):
            if "." in name:
                raise SpecError(f"'{folder}': a sweep over '{key}' cannot be read here.")
            tables[part][name] = value
    table = dict(tables["model"])
    kind = table.pop("kind")
    if kind not in KINDS:
        raise SpecError(f"'{folder}' holds the model '{kind}'; lab-model reads {', '.join(KINDS)}.")
    model = registry.load("models", kind)(**table)
    space, source = facts["space"], tables["source"]
    spelling = Spelling(
        tuple(space["names"]), space["joiner"], source.get("tokenizer"), bool(source.get("lower", False))
    )
    return of_model(model, read_tensors(path), row, spelling)


def kept(folder: Path, point: int, replicate: int, generation: int) -> tuple[Path, int]:
    """The file that holds a model of a run and its row there; generation 0: the last that is kept.

    Raises:
        StoreError: there is none; the message says which there are.
    """
    found: list[tuple[int, int, int, int, Path]] = []
    for path in sorted((folder / "models").glob("*.safetensors")):
        match = _KEPT.fullmatch(path.name)
        if match:
            first = int(match[2])
            found.append((int(match[1]), first, int(match[3] or first), int(match[4]), path))
    mine = [one for one in found if one[0] == point and one[1] <= replicate <= one[2] and generation in (0, one[3])]
    if mine:
        best = max(mine, key=lambda one: one[3])
        return best[4], replicate - best[1]
    if not (folder / "experiment.toml").is_file():
        raise StoreError(f"'{folder}' is not a run folder: it has no experiment.toml. Give the folder of a run.")
    there = sorted({f"point {one[0]} generation {one[3]} (replicates {one[1]} to {one[2]})" for one in found})
    wanted = f"point {point}, replicate {replicate}" + (f", generation {generation}" if generation else "")
    raise StoreError(
        f"'{folder}' keeps no model of {wanted}. It keeps: {'; '.join(there) or 'none'}. Networks are kept with "
        f"[experiment] keep = 'first', 'last', 'first-last' or 'all'."
    )


def _told(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The resolved experiment as tables, and the facts of a run."""
    try:
        tables = tomllib.loads((folder / "experiment.toml").read_text(encoding="utf-8"))
        return tables, json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(
            f"'{folder}' cannot be read ({error}). The run folder is damaged; run again elsewhere."
        ) from None


# --- from arrays to sums over tokens ------------------------------------------------------------------------------------


# texts as token numbers to their sums (n, 7), see networks.scoring, and ln p of every token that is predicted
Read = Callable[[Sequence[Integers]], tuple[Floats, list[Floats]]]


@dataclass(frozen=True, eq=False)
class Generator:
    """What the arrays that :func:`of_model` or :func:`of_run` made say of a generator.

    Attributes:
        model: the kind and its parameters.
        size: V, how many types it knows.
        spelling: how text becomes its tokens.
        whole: it gives the law of every token, not only the probability of a text; without it count and likelihood of its
            sums are all there is.
    """

    model: Any
    size: int
    spelling: Spelling
    whole: bool

    @classmethod
    def of(cls, state: Mapping[str, Array]) -> Generator:
        """Without its weights. Raises DataError when a state holds no generator."""
        if "generator" not in state:
            raise DataError(
                "lab-model was not told its generator. Fit it with 'run', or make its state with 'knowing'."
            )
        told = json.loads(str(state["generator"]))
        spelled = told["spelling"]
        spelling = Spelling(tuple(spelled["names"]), spelled["joiner"], spelled["tokenizer"], spelled["lower"])
        table = dict(told["model"])
        model = registry.load("models", table.pop("kind"))(**table)
        return cls(model, told["size"], spelling, model.name() != "ngram")

    def opened(self, state: Mapping[str, Array]) -> Read:
        """Its network, or its counts, ready to read."""
        weights = {name.removeprefix("weights."): array for name, array in state.items() if name.startswith("weights.")}
        make = {"ngram": _chain, "transformer": _transformer, "causal-lm": _causal}[self.model.name()]
        return make(self.model, weights)


def _chain(model: Any, weights: dict[str, Array]) -> Read:
    """A chain is its training text: fitting it again is counting."""
    blocks, size = weights["blocks"], int(weights["size"])
    weight = weights["weight"][None] if "weight" in weights else None
    space = Space("tokens", blocks.shape[1:], size)
    state = model.fit(Dataset(space, blocks[None], np.zeros((1, len(blocks)), np.int32), weight), None)

    def read(texts: Sequence[Integers]) -> tuple[Floats, list[Floats]]:
        out = np.full((len(texts), 7), math.nan)
        lengths = np.array([len(text) for text in texts])
        out[:, COUNT] = np.maximum(lengths - model.order + 1, 0)
        for length in np.unique(lengths[lengths >= model.order]):
            here = np.flatnonzero(lengths == length)
            found = model.log_density(state, np.stack([texts[int(k)] for k in here])[None])[0]
            out[here, LIKELIHOOD] = np.maximum(found, IMPOSSIBLE * (length - model.order + 1))
        return out, []

    return read


def _transformer(model: Any, weights: dict[str, Array]) -> Read:
    import torch

    from remission.networks.device import device, one_thread
    from remission.networks.dice import seeded
    from remission.networks.scoring import Scoring, decoder_law, windows
    from remission.networks.transformer import Decoder, Shape

    size, length = len(weights["embedding"]) - 1, int(weights["length"])
    with seeded(0):  # these weights are replaced, and the randomness of torch stays as it is
        network = Decoder(Shape(size, length, model.width, model.layers, model.heads))
    network.load_state_dict({name: torch.from_numpy(np.array(weights[name])) for name in network.state_dict()})
    where = device()
    scoring = Scoring(decoder_law(network.to(where).eval()), None, where, 4 * (2 * size + 8 * model.width))

    def read(texts: Sequence[Integers]) -> tuple[Floats, list[Floats]]:
        pieces = [piece for i, text in enumerate(texts) if len(text) for piece in windows(i, text, length)]
        with one_thread():
            return scoring.read(pieces, len(texts))

    return read


def _causal(model: Any, weights: dict[str, Array]) -> Read:
    import torch

    from remission.networks import causal, checkpoint, vocabulary
    from remission.networks.device import device, one_thread
    from remission.networks.scoring import Scoring, causal_law, windows
    from remission.networks.tuned import put

    need("hf", "a generator of the kind 'causal-lm'", "torch", "transformers", "safetensors", "accelerate")
    path, where = checkpoint.folder_of(model.model, model.revision, model.offline), device()
    config = causal.config_of(path)
    with one_thread():
        if model.weights == "random":
            network: Any = causal.open_random(config, 0, where)
        else:
            network = causal.open_weights(path, torch.float32, where, False)
        if model.tuning == "lora":
            network = causal.adapted(network, model.rank, model.alpha, model.targets)
        put(network, {name: torch.from_numpy(np.array(array)) for name, array in weights.items() if name != "block"})
    word = vocabulary.start(path)
    start = None if word is None else vocabulary.load(path).token_to_id(word)
    room = (causal.positions(config) or 1024) - (start is not None)
    window = int(weights["block"][0]) if model.weights == "random" else room
    each = 4 * (causal.rows(config) + 16 * 1024)
    scoring = Scoring(causal_law(network.eval(), start), None, where, each)

    def read(texts: Sequence[Integers]) -> tuple[Floats, list[Floats]]:
        pieces = [piece for i, text in enumerate(texts) if len(text) for piece in windows(i, text, window)]
        with one_thread():
            return scoring.read(pieces, len(texts))

    return read
