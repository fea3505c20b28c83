"""Which public data sets are offered: where each file lies, what its bytes are, and under which licence.

Only sets with an open licence are here. A file is pinned by the SHA-256 of the bytes that its addresses serve.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pinned:
    """One file: its name, its size and checksum as served, and the addresses that serve it.

    Where no address does, ``how`` says how to make it.
    """

    file: str
    size: int
    sha256: str
    urls: tuple[str, ...]
    how: str = ""


@dataclass(frozen=True)
class Collection:
    """A data set: the folder its files are kept in, its licence, whom to credit, and its files."""

    folder: str
    licence: str
    credit: str
    files: tuple[Pinned, ...]

    def pinned(self, file: str) -> Pinned:
        """The entry of a file of this set."""
        return next(entry for entry in self.files if entry.file == file)


def _collection(
    folder: str, licence: str, credit: str, bases: tuple[str, ...], *rows: tuple[str, int, str]
) -> Collection:
    files = tuple(Pinned(file, size, sha256, tuple(base + file for base in bases)) for file, size, sha256 in rows)
    return Collection(folder, licence, credit, files)


_RAW = "https://raw.githubusercontent.com/"
_FASHION = "zalandoresearch/fashion-mnist/b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/"
_WIKITEXT = "pytorch/examples/77f55b912142e11fcfdf5b530231fb9c52f181e8/word_language_model/data/wikitext-2/"
_SHAKESPEARE = "karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/"
_CLDR = "unicode-org/cldr-json/b08a82b582f1120d630d623f9e5073316741574d/cldr-json/"
_NOTO = (
    "Pack it yourself: git clone https://github.com/googlefonts/noto-emoji, in it git checkout "
    'b3e3051a088047d19fd4d49b1c3ac42fb8c3aaf8, then python -c "from remission.sources.emoji import pack; '
    "pack('noto-emoji/png/32')\" puts it into the cache."
)
_UCI = (_RAW + "jbrownlee/Datasets/d20fcb6402ae34e653d4513b00f39257bb37ed7f/",)

COLLECTIONS: dict[str, Collection] = {
    "mnist": _collection(
        "mnist",
        "CC BY-SA 3.0",
        "LeCun, Cortes, Burges: the MNIST database of handwritten digits",
        ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
        ("train-images-idx3-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        ("train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        ("t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        ("t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
    "fashion-mnist": _collection(
        "fashion_mnist",
        "MIT",
        "Xiao, Rasul, Vollgraf: Fashion-MNIST, arXiv 1708.07747 (Zalando SE)",
        (_RAW + _FASHION, "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
        ("train-images-idx3-ubyte.gz", 26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        ("train-labels-idx1-ubyte.gz", 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        ("t10k-images-idx3-ubyte.gz", 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        ("t10k-labels-idx1-ubyte.gz", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ),
    "wikitext-2": _collection(
        "wikitext2",
        "CC BY-SA 3.0",
        "Merity, Xiong, Bradbury, Socher: Pointer sentinel mixture models, arXiv 1609.07843 (text of Wikipedia)",
        (_RAW + _WIKITEXT,),
        ("train.txt", 10797148, "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f"),
        ("valid.txt", 1121681, "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8"),
        ("test.txt", 1256449, "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0"),
    ),
    "tiny-shakespeare": _collection(
        "tinyshakespeare",
        "MIT (text: public domain)",
        "Karpathy: char-rnn",
        (_RAW + _SHAKESPEARE,),
        ("input.txt", 1115394, "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"),
    ),
    "names": _collection(
        "names",
        "MIT",
        "Karpathy: makemore",
        (_RAW + "karpathy/makemore/988aa59e4d8fefa526d06f3b453ad116258398d4/",),
        ("names.txt", 228145, "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d"),
    ),
    "emoji": Collection(
        "emoji",
        "Apache-2.0 (pictures), Unicode-3.0 (names)",
        "Google: Noto Emoji; Unicode, Inc.: CLDR annotations",
        (
            Pinned(
                "noto_png32.zip", 5170232, "31430eda499819c0ee27c7a418877a9f4b00918d38f99e83d7e87cee91fa1afa", (), _NOTO
            ),
            Pinned(
                "annotations.json",
                434893,
                "2405d3f2e4c5812a4faf93d965630246269e0177ce907d863c7d6bb197e957c1",
                (f"{_RAW}{_CLDR}cldr-annotations-full/annotations/en/annotations.json",),
            ),
            Pinned(
                "annotationsDerived.json",
                713521,
                "8ebc16e27adf6c555c9ce467335cee8fc9416e5d8646a91bd4eacbb450ebee22",
                (f"{_RAW}{_CLDR}cldr-annotations-derived-full/annotationsDerived/en/annotations.json",),
            ),
        ),
    ),
    "adult": _collection(
        "uci",
        "CC BY 4.0",
        "Becker, Kohavi: Adult, UCI Machine Learning Repository (1996)",
        _UCI,
        ("adult-train.csv", 3974305, "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d"),
        ("adult-test.csv", 2003132, "72567b94f5c1a6f8501377dd80f93892c3848ff071cf91ba47e00b0785a28074"),
    ),
    "wine-quality": _collection(
        "uci",
        "CC BY 4.0",
        "Cortez, Cerdeira, Almeida, Matos, Reis: Decision Support Systems 47(4):547 (2009)",
        _UCI,
        ("winequality-white.csv", 264255, "659d419fff887f225bf977d20520bb64a64cae203e460087f809721d4430ba27"),
    ),
}
