from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from itertools import chain

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.formatter.tidy import repair, sentences, tidy, tidy_prose
from tests.helpers.paths import ROOT, corpus, corpus_only

# Names that are right, in many scripts; capitals and quotation marks are what heuristics trip over.
NAMES = """
    José García|Jürgen Müller|François Lefèvre|Łukasz Świątek|Đặng Thị Hòa|Trần Đức Á
    Þórður Ágústsson|Çağlar Gülçehre|Şule Yıldız|Žiga Škorjanc|Lukáš Lafférs|Jiří Dvořák
    Paul Erdős|László Lovász|Ștefan Țurcanu|Александр Пушкин|Їжакевич Ґнат|Љубиша Ћурчић
    Єгор Ющенко|Αλέξανδρος Παπαδόπουλος|Ἀριστοτέλης|נעם חומסקי|محمد رضا|علی‌رضا حسینی
    अर्जुन कुमार|রবীন্দ্রনাথ ঠাকুর|ரவி குமார்|สมชาย ใจดี|李飞飞|山田太郎|김민준|გიორგი|Արամ
    አበበ|JOÃO SÃO|AÇÃO|NÃO É|ÅSA ÖBERG|Øystein Sørensen|Rūta Šilingaitė|Jānis Bērziņš
    Õnne Pärl|Ngũgĩ wa Thiong’o|Seán Ó Ríordáin|Llŷr Ŵyn|¿Qué? ¡No!|“Smart” – ‘quotes’
    L’Étoile à Œuvre|«Guillemets» à gogo|50 °C ± 3 µm|½ × ¾ ÷ ²|© 2021 ™|£5, €6, ¥7
    Poincaré–Bendixson|Erdős–Rényi|DİL İŞLEME|ÇİĞDEM ŞİMŞEK|ĽUBOŠ ŤAPÁK|ŻÓŁĆ
    ZAŻÓŁĆ GĘŚLĄ JAŹŃ|ÁRVÍZTŰRŐ TÜKÖRFÚRÓGÉP|Příliš žluťoučký|π≈3|x ≤ y ≥ z ≠ w|├─┤|▓▒░
    Россия – “Родина”|Їжа «Є»|СИСТЕМА № 5|ΆΝΝΑ ΈΛΕΝΑ|Ibn Sīnā|Ṣalāḥ ad-Dīn|Nǚ Xuéyǒu
    GRÖSSE – ÜBER|CITTÀ – ROMA|PERCHÉ “NO”|À la carte|ÎLE DE RÉ|葛󠄀城
"""
RIGHT = [name.strip() for line in NAMES.split("\n") for name in line.split("|") if name.strip()]
PLAIN = "abz AZ059 .,:;!?'\"()[]{}<>/|+-=*%#@_^"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Object  Detection \n in\tthe\r\nWild ", "Object Detection in the Wild"),
        ("a\u00a0b\u2003c\u2028d\u3000e\u2800f\x1fg", "a b c d e f g"),
        ("so on\x85 and \x93on\x94", "so on… and “on”"),
        (r"360$^{\circ}$  Views by Schr\"odinger", "360° Views by Schrödinger"),
        ("AT&amp;T &lt;b&gt; &quot;x&quot; &#169; &#xe9;&nbsp;!", 'AT&T <b> "x" © é !'),
        ("&amp;lt; &amp;amp;amp; &a&#109;p;lt;", "< & <"),
        ("?a=1&copy=2; R&D; &nosuch; &", "?a=1&copy=2; R&D; &nosuch; &"),
        ("&#59;&semi;&amp&semi;lt&semi;", ";;<"),
        ("&bsol;alpha and \\&lt;", "α and \\<"),
        ("x\u200by\ufeff\u00ad\u2060\u200e\u202ez\u2066\x00\x1b\u034f\u3164\ufdd0", "xyz"),
        ("a \u200b b", "a b"),
        ("tag\U000e0041\U000e007f \U0001f3f4", "tag \U0001f3f4"),
        ("e\u0301 \u212b \u037e", "é Å ;"),
        ("\ud83d\ude00 \ud83d lone \ude00", "😀 lone"),
        ("𝒪(n), 𝐇𝐢, 𝑤ℎ𝑦, 𝔼[ℝ]", "O(n), Hi, why, E[R]"),
        ("ℝ, ℏ and ℓ", "ℝ, ℏ and ℓ"),
        ("in Android~Apps, modeling~(MLM), i.e.~far", "in Android Apps, modeling (MLM), i.e. far"),
        ("~5, 10~20, a~b, foo~bar", "~5, 10~20, a~b, foo~bar"),
        ("x.edu/~user/many~more", "x.edu/~user/many~more"),
        ("the ``best effort'' and ``other\" one", "the “best effort” and “other” one"),
        ("``code`` and ``open", "``code`` and ``open"),
        (r"$5 million, C:\new, 100% of foo_bar, \o/", r"$5 million, C:\new, 100% of foo_bar, \o/"),
        ("S√∂ren Schwertfeger", "Sören Schwertfeger"),
        ("caf&Atilde;&copy; √©", "café é"),
        ("", ""),
        (" \u200b ", ""),
    ],
)  # fmt: skip
def test_tidy(text: str, shown: str) -> None:
    assert tidy(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "👩\u200d🔬 ❤️\u200d🔥 1\ufe0f\u20e3 ☎\ufe0e",
        "علی\u200cرضا",
        "क\u094d\u200dष र\u094d\u200d",
        "葛\U000e0100城",
    ],
)
def test_joiners_and_selectors_stay_where_they_mean_something(text: str) -> None:
    assert tidy(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "a\u200db",
        "a\u200cb",
        "\u200d",
        "ب\u200c",
        "😀\u200d",
        "😀\u200dx",
        "é\ufe0f",
        "a\U000e0100",
    ],
)
def test_joiners_and_selectors_go_where_they_mean_nothing(text: str) -> None:
    assert tidy(text) == re.sub("[\u200c\u200d\ufe0f\U000e0100]", "", text)


# --- Marks ---

# Points and vowel signs where scripts put most of them on a letter.
MARKED = """
    Nguyễn Thị Ngữ|Nguyễn|ὦ ᾆ|בְּרֵאשִׁ֖ית בָּרָ֣א אֱלֹהִ֑ים|שּׁ֙|مُحَمَّدٌ رَّسُولُ اللّٰهِ|कर्ज़्म ट्रू|ก็ ที่ นี้ น้ำ|ქართული
    လျှို့ဝှက်|ས྄ྲ|សន្ធ្យា|ẹ̀kọ́|n̩̂ ɔ̃́|1\ufe0f\u20e3 ☎\ufe0e
"""


@pytest.mark.parametrize("text", MARKED.strip().replace("\n    ", "|").split("|"))
def test_the_marks_of_a_script_stay(text: str) -> None:
    for form in ("NFC", "NFD"):
        written = unicodedata.normalize(form, text)
        assert tidy(written) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a" + "\u0301" * 200 + "b", "á" + "\u0301" * 4 + "b"),
        ("\u20dd" * 9 + "x", "\u20dd" * 4 + "x"),
        ("x" + "\u0336\u0489" * 9 + " y", "x" + "\u0336\u0489" * 2 + " y"),
        ("ب" + "\u064b\u200c" * 9 + "ب", "ب" + "\u064b\u200c" * 4 + "ب"),
    ],
)
def test_what_is_stacked_on_a_letter_falls(text: str, shown: str) -> None:
    assert tidy(text) == shown


# --- Wrong decoding ---


@pytest.mark.parametrize("name", RIGHT)
def test_a_name_that_is_right_stays(name: str) -> None:
    assert repair(name) == name
    assert tidy(name) == name


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "mac_roman"])
@pytest.mark.parametrize(
    "name", ["Sören Schwertfeger", "Fatma Güney", "José García", "Hölder’s", "À la carte", "山田太"]
)
def test_a_name_decoded_wrongly_is_repaired(name: str, encoding: str) -> None:
    wrong = name.encode().decode(encoding)
    assert wrong != name
    assert repair(wrong) == name
    assert tidy(wrong) == name


def test_a_no_break_space_that_was_lost_does_not_stop_the_repair() -> None:
    assert repair("Ã\xa0 la carte".replace("\xa0", " ")) == "à la carte"


def test_each_paragraph_is_repaired_and_read_by_itself() -> None:
    wrong = "By S√∂ren, for $5.\n\n中文 stays, and so does $x.\n \nLast."
    assert tidy_prose(wrong) == "By Sören, for $5. 中文 stays, and so does $x. Last."


def test_prose_of_one_paragraph_is_tidied_as_a_line() -> None:
    assert tidy_prose("One  line\nof $n$ words.") == "One line of n words."


def test_the_heavy_parts_load_only_for_text_that_needs_them() -> None:
    program = (
        "import sys\n"
        "from bot.formatter.tidy import tidy\n"
        "tidy('Jürgen Müller on plain   text'), tidy('李飞飞 & others')\n"
        "print('ftfy' in sys.modules, 'html.entities' in sys.modules)\n"
        "tidy('Fatma G√ºney &amp; others')\n"
        "print('ftfy' in sys.modules, 'html.entities' in sys.modules)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert ran.stdout.split() == ["False", "False", "True", "True"]


# --- Laws ---

anything = st.text(st.characters(exclude_categories=()))
PIECES = r"""
    \ $ $$ { } ^ _ ~ & &amp; amp; &lt; ; #36; &bsol; &dollar; \alpha \frac \text \hat \' \" \( \) \$
    \% \\ \url{ \cite{ \foo \foo{} \ss \c word 5 million e √º Ã © 𝒪 ع `` '' " http://x C:\ ( ) - , .
"""
HIDDEN = " |\n\n|\u0301|\u200d|\u200c|😀|\ufe0f|\ud83d|\ude00|\x00|\ufdd0"
pieces = st.sampled_from([*PIECES.split(), *HIDDEN.split("|")])
soup = st.lists(pieces, max_size=15).map("".join)
invisible = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e00ff]"
)


@given(anything | soup)
def test_tidying_twice_is_tidying_once(text: str) -> None:
    once = tidy(text)
    assert tidy(once) == once
    assert tidy_prose(tidy_prose(text)) == tidy_prose(text)


@given(anything | soup)
def test_what_is_tidy_is_one_clean_line(text: str) -> None:
    for shown in (tidy(text), tidy_prose(text)):
        assert unicodedata.is_normalized("NFC", shown)
        assert " ".join(shown.split()) == shown
        assert not invisible.search(shown)
        assert not re.search("[\U0001d400-\U0001d7ff]", shown)
        shown.encode()


letters = st.sampled_from("aéبשक\u0903ก한😀 \u200c\u200d")
marked = st.tuples(letters, st.text(st.characters(categories=["Mn", "Me"]), max_size=12))


@given(st.lists(marked).map(lambda drawn: "".join(chain.from_iterable(drawn))))
def test_no_character_has_more_marks_than_a_script_needs(text: str) -> None:
    shown = tidy(text)
    assert tidy(shown) == shown
    assert unicodedata.is_normalized("NFC", shown)
    assert not re.search("(?:M[ne](?:Cf)*){5}", "".join(map(unicodedata.category, shown)))


usual = st.text("\u0301\u0323\u0302\u05b0\u05c1\u064b\u0651\u093c\u094d\u0e34\u0e48", max_size=4)


@given(st.lists(st.tuples(st.sampled_from("aéبשकก"), usual)))
def test_as_many_marks_as_a_script_needs_stay(drawn: list[tuple[str, str]]) -> None:
    text = unicodedata.normalize("NFC", "".join(chain.from_iterable(drawn)))
    assert tidy(text) == text


# What a person would not type: a space before a colon or none after it, dashes of hyphens, ^2, {x}.
TYPED = re.compile(r" :|:[A-Z]|--|\^[23]|[{}`]")


@given(st.lists(st.text(PLAIN.replace(" ", ""), min_size=1)).map(" ".join))
def test_plain_text_stays(text: str) -> None:
    assume(not TYPED.search(text))
    assert tidy(text) == tidy_prose(text) == text


@given(st.text("&#;amplt0123456789semisol", max_size=60))
def test_no_entity_is_left_however_deep(text: str) -> None:
    assert not re.search("&(amp|lt|semi|sol|#38|#59);", tidy(text))


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        *("&" + "amp;" * 100_000, "&#38;" * 100_000, ";" * 200_000, "&" * 200_000 + ";"),
        *("``" * 200_000, "~" * 200_000, "a~" * 100_000, "\u200d" * 200_000),
        *("é\u0301" * 100_000, "\n \n" * 200_000, "a. " * 100_000, "Ã" * 200_000),
    ],
    ids=lambda text: ascii(text[:8]),
)
def test_length_hurts_nobody(text: str) -> None:
    shown = tidy_prose(text)
    assert tidy(shown) == shown
    assert " ".join(sentences(shown)) == shown


def test_the_layers_of_escapes_are_undone_as_far_as_promised() -> None:
    text = r"\alpha"
    for _ in range(6):
        text = text.replace("\\", r"&\bf bsol;")
    assert tidy(text) == "α"
    for _ in range(20):
        text = text.replace("\\", r"&\bf bsol;")
    assert tidy(text).endswith("alpha")


# --- Sentences ---


@pytest.mark.parametrize(
    "parts",
    [
        ("We win.", "They lose!", "Why?", "Because."),
        ("We use GPT-3.", "We like it (a lot).", "It is “good.”", "So there."),
        ("Models, e.g. BERT, i.e. Transformers vs. RNNs, cf. Fig. 3 and Eq. 2.", "They work."),
        ("Wang et al. (2019) and Lample et al. show 3.5 BLEU.", "It was 5.", "Now 7."),
        ("As shown by Wang et al.", "We differ."),
        ("By J. Smith and A. B. Jones of the U.S. Army, Inc. and so on.", "The end."),
        ("In the class P.", "We show that k.", "However, no."),
        ("Apples, pears, etc.", "Dr. Who and St. John agree."),
        ("(See Fig. 3.)", "1. First, wav2vec 2.0 is used. wav2vec is old.", "[2] Second."),
        ("1. First.", "Then 2) second.", "3) How?", "… ok"),
        ("我们。", "他们！", "好的？", "OK"),
        ("no stop at all",),
        ("Ends with a stop.",),
        (),
    ],
)
def test_sentences(parts: tuple[str, ...]) -> None:
    assert sentences(" ".join(parts)) == parts


@given(anything | soup.map(tidy) | st.text('aA.5 ("”。', max_size=40))
def test_joined_by_one_space_sentences_are_the_text(text: str) -> None:
    assert " ".join(sentences(text)) == text


# --- Real digests ---


@corpus_only
def test_the_real_digests_change_only_where_they_are_damaged() -> None:
    lines = [line for path in corpus() for line in path.read_text(encoding="utf-8").splitlines()]
    changed = [(line, repair(line)) for line in lines if repair(line) != line]
    authors = [right for wrong, right in changed if not wrong.startswith("<")]
    assert len(changed) == 3
    assert "Sören Schwertfeger" in authors[0]
    assert "Fatma Güney" in authors[1]
    assert all(re.search("[√„]", wrong) for wrong, _ in changed)


@corpus_only
def test_the_real_digests_obey_the_laws() -> None:
    lines = [line for path in corpus() for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        shown = tidy(line)
        assert tidy(shown) == shown
        assert " ".join(sentences(shown)) == shown
        assert unicodedata.is_normalized("NFC", shown)
        assert not invisible.search(shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("video---making", "video — making"),
        ("Vectors Light -- A Method", "Vectors Light – A Method"),
        ("message--passing", "message–passing"),
        ("NeRF--: Neural", "NeRF--: Neural"),
        ("DROP TABLE Papers; --", "DROP TABLE Papers; --"),
        ("the flag --flag is", "the flag --flag is"),
        ("the `reality gap' where", "the ‘reality gap’ where"),
        ("Transformers:Transformer", "Transformers: Transformer"),
        ("Tinker : Accelerating", "Tinker: Accelerating"),
        ("SHADES: : A model", "SHADES: A model"),
        ("(NEMO^2)", "(NEMO²)"),
        ("StyTr^2: Unbiased", "StyTr²: Unbiased"),
        ("of {non-uniform} kinds", "of non-uniform kinds"),
        ("{0,1} and CIFAR-{10, 100}", "{0,1} and CIFAR-{10, 100}"),
        ("Jo\\ão F. Henriques", "João F. Henriques"),
        ("Gustavo Hernández {Á}brego", "Gustavo Hernández Ábrego"),
        ("std::vector and a::b", "std::vector and a::b"),
    ],
)
def test_what_authors_type_for_tex_is_shown_as_it_is_meant(text: str, shown: str) -> None:
    assert tidy(text) == shown
    assert tidy(shown) == shown
