"""Clean archives made by random operations: what they hold is what a plain dict holds, and nothing is ever reported."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from remission.clinic.archive.proving import check_proof, prove
from remission.clinic.archive.verifying import verify
from remission.clinic.archive.witness import add_to_witness
from remission.gold.archive import Archive

from .archive_tools import Made, rejects, standalone


def clean(folder: Path, seeds: range, steps: int) -> None:
    module = standalone()
    for seed in seeds:
        place = folder / str(seed)
        place.mkdir()
        made = Made(place, seed, steps // 2)
        witness = place / "witness"
        add_to_witness(witness, Archive(made.folder).log)
        for _ in range(steps - steps // 2):
            made.step()
        archive = Archive(made.folder)
        found = verify(made.folder, archive.origin, [witness])
        assert (found.faults, found.notes, found.witnessed) == ((), (), 1), seed
        assert found.items == len(made.live())
        assert found.erased == len(made.model.contents) - len(made.live())
        made.check()
        assert not rejects(module, made.folder, archive.origin, str(witness))
        for item in list(made.model.contents)[:2]:
            assert check_proof(prove(archive, item), made.model.contents[item], archive.origin).entry["item"] == item
        shutil.rmtree(place)


def test_clean_archives_give_no_alarm(tmp_path: Path) -> None:
    clean(tmp_path, range(40), 12)


@pytest.mark.slow
def test_a_thousand_clean_archives_give_no_alarm(tmp_path: Path) -> None:
    clean(tmp_path, range(1000, 2000), 16)


def test_the_model_can_disagree(tmp_path: Path) -> None:
    made = Made(tmp_path, 3)
    made.model.contents[made.live()[0]] = b"something else"
    with pytest.raises(AssertionError):
        made.check()
