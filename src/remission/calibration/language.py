"""Which language a text is in, without weights: the script of its letters, then function words; and whether it is code."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from remission.calibration.characters import codes_of
from remission.documents import Words
from remission.numerics.arrays import Array

CODE, UNKNOWN = "code", "und"
LOOK = 1000  # characters of a text that are looked at: half from its beginning, half from its middle

# Frequent short words of each language; those of several languages count for each.
_WORDS = {
    "en": "the of and to in a is that for it as was with be by on not he his but at are this have from or had an they "
          "which you were her she all will would there their we been has who if when them what can no more so our my "
          "me than then these how do into i your its",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat "
          "dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis "
          "mehr durch man sein wurde ich wir",
    "fr": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont avec la mais "
          "comme ou si leur y dont elle aux été cette ses son sa nous vous je ont tout être fait d'une d'un n'est c'est "
          "qu'il",
    "es": "de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me si sin "
          "sobre este ya entre cuando todo esta ser son dos también fue había era muy años hasta desde está mi porque",
    "it": "di e il la che in un a per è una sono con non da del le si i come della dei gli al più nel ma lo anche alla ha "
          "o delle se ci questo suo essere era dalla nella tra degli stato hanno fatto io mi cosa dopo quando",
    "pt": "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à seu sua "
          "ou ser quando muito há nos já está eu também só pelo pela até isso ela entre era depois sem mesmo aos são",
    "nl": "de van het een en in is dat op te zijn met voor niet die aan er om ook als maar bij uit dan naar hij heeft nog "
          "ze door worden over wordt hun tot meer was kan of deze zich wel werd geen moet veel had ik je we",
    "sv": "och i att det som en på är av för med till den har de inte om ett han men var jag sig från vi så kan när år "
          "under också efter eller nu sin där vid mot ska skulle kommer ut får finns vara hade alla andra mycket än",
    "da": "og i at det er en til af på for med som de den der ikke har et var om men han fra jeg vi kan så sig efter også "
          "eller ved nu skal være blev hun hans havde når over mere andre noget nogle hvor meget ud bliver mod",
    "no": "og i det er på som en til av for at med de har den ikke et om var han men fra jeg vi seg så kan når etter også "
          "eller ved nå skal være ble hun hans hadde over mer noe noen hvor mye ut blir mot bare etter hva",
    "fi": "ja on ei se että oli hän mutta ovat tai myös kun niin kuin joka ole mukaan jo sen olla siitä nyt vain sitä "
          "vielä ollut tämä voi sekä jos kanssa jotka mitä minä me he joka kaikki hänen noin mitään",
    "pl": "w i na z się że nie do to jest o po jak za przez od a dla są co ale tym czy jego który tego przy tylko oraz "
          "było już może która być ze które ma pan jej bardzo także lub jako również bez był",
    "cs": "a se v na je že s z do o to i by pro ve jsem ale za si jak podle byl tak jako co když při jeho jsou které po "
          "který od už jen nebo má bylo také až ze před však jejich bude mu není ještě která jsme",
    "ro": "de și în a la cu care nu pe o că din un este mai au pentru să fost prin fi după sau dar ce între lui sunt "
          "până ca al are fără ale se acest această cele era unei unui către doar foarte",
    "hu": "a az és hogy nem is egy ez azt csak volt de ha meg már még mint van el kell most vagy mert lehet ki ezt ami "
          "után nagyon volna úgy akkor minden amely pedig között által szerint lesz más sem",
    "tr": "ve bir bu da de için ile çok olarak daha ne olan gibi var kadar en o ama sonra ya değil her mi ise olduğu "
          "şey ben ki iki diye bile oldu taraf\u0131ndan göre hem veya ancak önce",
    "id": "yang dan di dengan untuk ini dari dalam tidak itu pada akan ke adalah juga oleh saya bisa ada mereka karena "
          "lebih telah sudah atau seperti dapat kita dia anda tersebut bahwa hanya orang tahun saat namun",
    "vi": "và của là có trong được cho các một những không đã với người này để khi đến từ cũng ra như về tại vào còn "
          "nhiều sau năm trên phải hơn đó bị nhưng theo rất",
}  # fmt: skip

# Scripts by ranges of code points; where one language writes a script, it is named, else the script.
_SCRIPTS = {
    "latin": [(0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x1E00, 0x1EFF)],
    "el": [(0x370, 0x3FF), (0x1F00, 0x1FFF)],
    "und-Cyrl": [(0x400, 0x52F)],
    "hy": [(0x530, 0x58F)],
    "he": [(0x590, 0x5FF)],
    "und-Arab": [(0x600, 0x6FF), (0x750, 0x77F)],
    "und-Deva": [(0x900, 0x97F)],
    "bn": [(0x980, 0x9FF)],
    "ta": [(0xB80, 0xBFF)],
    "te": [(0xC00, 0xC7F)],
    "th": [(0xE00, 0xE7F)],
    "ka": [(0x10A0, 0x10FF)],
    "am": [(0x1200, 0x137F)],
    "ja": [(0x3040, 0x30FF)],
    "zh": [(0x3400, 0x9FFF)],
    "ko": [(0x1100, 0x11FF), (0xAC00, 0xD7AF)],
}
_NAMES = {
    "english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it", "portuguese": "pt", "dutch": "nl",
    "swedish": "sv", "danish": "da", "norwegian": "no", "finnish": "fi", "polish": "pl", "czech": "cs", "romanian": "ro",
    "hungarian": "hu", "turkish": "tr", "indonesian": "id", "vietnamese": "vi", "greek": "el", "hebrew": "he",
    "chinese": "zh", "japanese": "ja", "korean": "ko", "thai": "th", "russian": "und-Cyrl", "ru": "und-Cyrl",
    "arabic": "und-Arab", "ar": "und-Arab", "hindi": "und-Deva", "hi": "und-Deva", "uk": "und-Cyrl", "bg": "und-Cyrl",
}  # fmt: skip

_LATIN = list(_SCRIPTS).index("latin") + 1
_CODE_SIGN = len(_SCRIPTS) + 1
_OTHER_SIGN = len(_SCRIPTS) + 2
_CLASSES = len(_SCRIPTS) + 3


@functools.cache
def _table() -> Array:
    table = np.zeros(0x10000, np.uint8)
    for number, ranges in enumerate(_SCRIPTS.values(), 1):
        for low, high in ranges:
            table[low : high + 1] = number
    for char in "{}()[];=<>_#/\\|&*@^~`+%$":
        table[ord(char)] = _CODE_SIGN
    for char in ".,:'\"!?-0123456789":
        table[ord(char)] = _OTHER_SIGN
    return table


@functools.cache
def _languages() -> dict[str, tuple[int, ...]]:
    """The numbers of the languages that each function word belongs to."""
    found: dict[str, tuple[int, ...]] = {}
    for number, words in enumerate(_WORDS.values()):
        for word in dict.fromkeys(words.split()):
            if len(word) > 1:  # single letters are the symbols of formulas
                found[word] = (*found.get(word, ()), number)
    return found


def languages(texts: Sequence[str]) -> Words:
    """The language of each text (n,): an ISO 639-1 code, a script such as ``und-Cyrl``, ``code``, or ``und``.

    ``und`` (undetermined) is said of texts that are too short or too mixed to tell; it never means another language.
    Latin script is told by function words of 18 languages, of which Danish and Norwegian may be taken for each other.

    >>> languages(["The cat sat on the mat because it was the only warm place in the house."]).tolist()
    ['en']
    """
    if not texts:
        return np.empty(0, "<U8")
    texts = [_glance(text) for text in texts]
    codes, starts = codes_of(texts)
    n = len(texts)
    owner = np.repeat(np.arange(n), np.diff(starts))
    kind = _table()[np.minimum(codes, 0xFFFF)]
    counts = np.bincount(owner * _CLASSES + kind, minlength=n * _CLASSES).reshape(n, _CLASSES)
    return np.array([_language(text, row) for text, row in zip(texts, counts, strict=True)])


def _glance(text: str) -> str:
    if len(text) <= LOOK:
        return text
    middle = (len(text) + LOOK // 2) // 2 if len(text) > 2 * LOOK else LOOK // 2
    return f"{text[: LOOK // 2]} {text[middle : middle + LOOK // 2]}"


def named(language: str) -> str:
    """The code used here for a language that a corpus names in its own way ("English", "en-GB")."""
    short = language.strip().lower()
    short = short if short in _NAMES or short.startswith("und") else short.replace("_", "-").split("-")[0]
    found = _NAMES.get(short, short)
    return found.replace("cyrl", "Cyrl").replace("arab", "Arab").replace("deva", "Deva")


def _language(text: str, counts: Array) -> str:
    letters = int(counts[1:_CODE_SIGN].sum())
    signs = int(counts[_CODE_SIGN])
    best = int(counts[1:_CODE_SIGN].argmax()) + 1
    if letters < 10:
        return CODE if signs >= 20 else UNKNOWN
    if best != _LATIN and counts[best] >= 0.5 * letters:
        name = list(_SCRIPTS)[best - 1]
        kana = counts[list(_SCRIPTS).index("ja") + 1]
        return "ja" if name == "zh" and kana >= 0.05 * letters else name
    if counts[_LATIN] < 0.7 * letters:
        return "ja" if counts[list(_SCRIPTS).index("ja") + 1] >= 0.2 * letters else UNKNOWN
    words = text.lower().split()
    known = _languages()
    hits = [0] * len(_WORDS)
    met: set[str] = set()
    for word in words:
        bare = word.strip('.,;:!?"()') if word[-1] in '.,;:!?")' else word
        if bare in known:
            met.add(bare)
            for number in known[bare]:
                hits[number] += 1
    top = max(range(len(hits)), key=hits.__getitem__)
    share = hits[top] / len(words)
    if signs >= 0.07 * (letters + signs) and share < 0.2 and letters + signs >= 80:
        return CODE
    second = max((count for number, count in enumerate(hits) if number != top), default=0)
    distinct = sum(top in known[word] for word in met)
    if distinct < 3 or share < 0.12 or hits[top] < 1.15 * second:
        return UNKNOWN
    return list(_WORDS)[top]
