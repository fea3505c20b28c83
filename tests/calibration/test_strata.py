"""Strata and languages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from remission.calibration.language import languages, named
from remission.calibration.strata import Strata, bands_of, spoken, strata_of, word_counts
from remission.documents import Documents
from remission.errors import SpecError

SENTENCES = {
    "en": "He said that the house was not as old as they had thought, but it would have to be repaired before the winter.",
    "de": "Er sagte, dass das Haus nicht so alt ist, wie sie gedacht hatten, aber es muss vor dem Winter noch repariert werden.",
    "fr": "Il a dit que la maison n'est pas aussi vieille qu'ils le pensaient, mais elle doit être réparée avant les froids.",
    "es": "Dijo que la casa no era tan vieja como ellos habían pensado, pero que hay que repararla antes de los fríos del año.",
    "it": "Ha detto che la casa non è così vecchia come pensavano, ma che si deve riparare prima che arrivi il freddo nel paese.",
    "pt": "Ele disse que a casa não era tão velha como eles pensavam, mas que tem de ser reparada antes do frio do ano.",
    "nl": "Hij zei dat het huis niet zo oud was als ze hadden gedacht, maar dat het voor de winter nog moet worden hersteld.",
    "sv": "Han sade att huset inte var så gammalt som de hade trott, men att det måste lagas före vintern och att det är dyrt.",
    "fi": "Hän sanoi että talo ei ole niin vanha kuin he olivat luulleet, mutta se on korjattava ennen kuin tulee talvi.",
    "pl": "Powiedział, że dom nie jest tak stary, jak oni myśleli, ale trzeba go naprawić przed zimą, bo w nim jest zimno.",
    "cs": "Řekl, že dům není tak starý, jak si mysleli, ale že se musí opravit před zimou, protože v něm je velká zima.",
    "ro": "El a spus că această casă nu este atât de veche pe cât au crezut, dar că ea va fi reparată până la iarnă.",
    "hu": "Azt mondta, hogy ez a ház nem olyan régi, mint ők gondolták, de a tél előtt még meg kell javítani.",
    "tr": "Bu evin sand\u0131klar\u0131 kadar eski olmad\u0131ğ\u0131n\u0131 ama k\u0131ş gelmeden önce onar\u0131lmas\u0131 gerektiğini ve bunun çok zor olduğunu söyledi.",
    "id": "Dia mengatakan bahwa rumah itu tidak setua yang mereka kira, tetapi akan diperbaiki dan untuk itu ada uang dari kota.",
    "el": "Είπε ότι το σπίτι δεν ήταν τόσο παλιό όσο νόμιζαν.",
    "und-Cyrl": "Он сказал, что дом не такой старый, как они думали.",
    "he": "הוא אמר שהבית לא היה ישן כמו שהם חשבו",
    "und-Arab": "قال إن البيت لم يكن قديما كما ظنوا",
    "ja": "彼はその家が思ったほど古くないと言いました。",
    "zh": "他说那座房子没有他们想的那么旧。",
    "ko": "그는 그 집이 생각만큼 오래되지 않았다고 말했다.",
    "th": "เขาบอกว่าบ้านหลังนั้นไม่เก่าเท่าที่คิด",
}  # fmt: skip


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_tells_its_language(language: str) -> None:
    assert languages([SENTENCES[language]]).tolist() == [language]


def test_languages_of_many_texts_at_once_and_of_odd_ones() -> None:
    assert languages(list(SENTENCES.values())).tolist() == list(SENTENCES)
    odd = ["", " ", "one", "12345 67890", "\ud800", "x y z", "xyzzy plugh qwrt " * 10, "a in n b of m"]
    assert set(languages(odd).tolist()) == {"und"}
    assert [named(word) for word in ("English", "en-GB", "de_AT", "ru", "xx", "und-Cyrl")] == [
        "en", "en", "de", "und-Cyrl", "xx", "und-Cyrl",
    ]  # fmt: skip


def test_code_is_told_from_prose_about_formulas() -> None:
    code = "def add(a, b):\n    return a + b\n\nclass Point:\n    x: int = 0\n    def norm(self): return self.x ** 2\n\nPOINTS = [Point(k) for k in range(10)]\n"
    script = (
        "for (let i = 0; i < rows.length; i++) { total += rows[i].value; map[rows[i].id] = fn(rows[i], x => x * 2); }"
    )
    prose = r"Let $\lambda_1^+(\tilde{g})$ be the smallest positive eigenvalue of the Dirac operator in the conformal class; we show that it is bounded by that of the sphere."
    assert languages([code, script, prose]).tolist() == ["code", "code", "en"]


def test_real_english_is_english(shared: Path) -> None:
    from remission.corpus.reading import read_documents

    for name in ("fastdetect-api", "hppt-polish"):
        documents, _ = read_documents([shared / "data" / "text-detection" / name], limit=1000)
        found = languages(documents.items)
        assert (found == "en").mean() > 0.99
        assert set(found.tolist()) <= {"en", "und"}


def documents_of(counts: dict[str, int], words: int = 60) -> Documents:
    names = [name for name, count in counts.items() for _ in range(count)]
    return Documents(["word " * words] * len(names), {"domain": np.array(names)})


def made(
    documents: Documents, by: tuple[str, ...], least: int, tongues: list[str] | None = None, full: int | None = None
) -> Strata:
    words = word_counts(documents.items)
    language = np.array(tongues) if tongues else np.full(len(documents), "en")
    return strata_of(documents, by, least, words, language, full)


def test_domains_with_enough_humans_are_strata_and_small_ones_are_pooled() -> None:
    found = made(documents_of({"news": 120, "web": 100, "blog": 60, "mail": 50}), ("domain",), 100)
    assert found.names == ("domain=news", "domain=web", "other domains")
    assert "'blog' (60)" in found.merged[0]
    seen = Documents(["x"] * 4, {"domain": np.array(["news", "blog", "mail", "chat"])})
    assert found.of(seen, np.full(4, 60), np.full(4, "en")).tolist() == [
        "domain=news",
        "other domains",
        "other domains",
        "",
    ]


def test_a_domain_too_small_even_with_others_is_not_calibrated() -> None:
    found = made(documents_of({"news": 120, "mail": 50}), ("domain",), 100)
    assert found.names == ("domain=news",)
    assert "Not calibrated: 'mail' (50)" in found.merged[0]
    assert made(documents_of({"a": 40, "b": 40, "c": 30}), ("domain",), 100).names == ("all",)
    assert made(documents_of({"a": 40}), ("domain",), 100).names == ()
    assert made(Documents(["x y"] * 100), ("domain",), 100).names == ("all",)
    assert made(documents_of({"a": 40, "b": 80}), (), 100).names == ("all",)


def test_every_length_has_exactly_one_stratum_with_enough_humans() -> None:
    rng = np.random.default_rng(0)
    sizes = np.exp(rng.normal(5, 0.8, 2000)).astype(int) + 1
    documents = Documents(["w " * size for size in sizes.tolist()])
    found = made(documents, ("domain", "length"), 99, full=299)
    assert len(found.names) >= 3
    names = found.of(documents, sizes, np.full(2000, "en"))
    counts = dict(zip(*np.unique(names, return_counts=True), strict=True))
    assert "" not in counts
    assert min(counts.values()) >= 299
    longest = found.of(Documents(["w"]), np.array([10_000_000]), np.array(["en"]))
    assert longest[0] == found.names[-1]


def test_rare_languages_share_a_stratum_or_join_their_domain() -> None:
    documents = documents_of({"news": 400})
    tongues = ["en"] * 250 + ["de"] * 80 + ["fr"] * 70
    found = made(documents, ("domain", "language"), 100, tongues)
    assert found.names == ("domain=news, language=en", "domain=news, other languages")
    found = made(documents, ("domain", "language"), 100, ["en"] * 350 + ["de"] * 50)
    assert found.names == ("domain=news",)
    assert "together" in found.merged[0]
    found = made(documents, ("domain", "language"), 100, ["en"] * 388 + ["de"] * 12)  # a handful is left out, and said
    assert found.names == ("domain=news, language=en",)
    assert "not calibrated in de (de: 12)" in found.merged[0]
    tongues = np.array(["en", "de", "fr"])
    assert found.of(documents_of({"news": 3}), np.full(3, 60), tongues).tolist() == ["domain=news, language=en", "", ""]


def test_a_stratum_is_a_function_of_the_document_and_survives_storage() -> None:
    documents = documents_of({"news": 300, "web": 300}, words=150)
    found = made(documents, ("domain", "length", "language"), 50)
    again = Strata.from_table(found.table())
    assert again == found
    words, tongues = np.full(600, 150), np.full(600, "en")
    assert np.array_equal(found.of(documents, words, tongues), again.of(documents, words, tongues))


def test_units_count_once() -> None:
    documents = Documents(["a b"] * 200, {"domain": np.full(200, "news")}, None, np.repeat(np.arange(20), 10))
    assert made(documents, ("domain",), 100).names == ()


def test_other_columns_and_unknown_ones() -> None:
    documents = documents_of({"news": 200}).with_column("source", ["a"] * 100 + ["b"] * 100)
    assert made(documents, ("domain", "source"), 100).names == ("domain | source=news | a", "domain | source=news | b")
    with pytest.raises(SpecError, match=r"a column 'site'.*source"):
        made(documents, ("site",), 100)


def test_a_given_language_is_believed() -> None:
    documents = Documents([SENTENCES["en"]] * 3, {"language": np.array(["German", "", "en-US"])})
    assert spoken(documents).tolist() == ["de", "en", "en"]
    assert bands_of(np.array([3, 50, 5000])).tolist() == ["0-24", "50-99", "800+"]
