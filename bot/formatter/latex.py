r"""LaTeX in titles, names and abstracts, as a person would write it without LaTeX.

arXiv's texts hold some: `$N^{1/2}$`, `Schr\"odinger`, `5\%`, `\emph{key}`. They also hold dollars
and backslashes that mean themselves: `$5 million and $7 million`, `C:\new`. So a dollar opens
mathematics only where its partner and what stands between them agree, a backslash counts only where
the command is known, and a text in which nothing was recognised comes back as it was.

Letters stay plain letters: `\mathcal{O}` is `O` and `\mathbb{R}` is `R`. Screen readers skip the
mathematical alphabets or spell them out, and the few of them that Unicode keeps elsewhere, such as
U+211D, are read no better. What has no plain character is written in ASCII: `N^(1/2)`, `x_max`,
`a/(b + c)`.

The converter takes the tokens one by one and keeps a stack of its own, so that neither depth nor
length of a text can hurt.
"""

# Look-alikes (nu and v, the prime and the accent) are what the tables are for.
# ruff: noqa: RUF001
from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial


def latex_to_text(text: str) -> str:
    r"""Write a text that may hold LaTeX in plain Unicode.

    A text without LaTeX is returned unchanged. Malformed LaTeX stays as far as it is not
    understood: nothing is raised, the time is linear in the length, and no word is lost. What goes
    are commands that only set type, and the arguments of `\label`, `\vspace`, `\color` and their
    like. An unknown command stays as it is, in mathematics without its backslash.
    """
    if "\\" not in text and "$" not in text:
        return text
    return _Converter(text).convert()


# Names such as "log", and fractions, want a space beside a letter and none beside a bracket. This
# noncharacter marks their edges until the neighbours are known.
_EDGE = "\ufdd0"
# Deeper nesting, and longer chains of commands without arguments, are not followed: they would cost
# quadratic time, and nobody wrote them for readers.
_DEEPEST = 25
# `It$x$TTS` may be mathematics inside a word, `A$AP Rocky, Ke$ha` is not.
_LONGEST_INFIX = 3
_LONGEST_ADDRESS = 80

# --- Tables ---------------------------------------------------------------------------------------

_LITERAL = r"""
    https?://[^\s{}\\$]+                    # an address
  | (?<![^\s"'(\[])[A-Za-z]:\\\w[^\s${}]*   # a path: C:\new
  | (?<!\S)\\\\\w[\w.-]*\\[^\s${}]*         # a share: \\server\new
  | \\o/ | (?<=\bw)\\o\b | ¯\\_             # arms raised, "w\o" for without, a shrug
"""
_TOKENS = rf"""(?xs)
    (?P<literal>{_LITERAL})
  | \\(?:url|path)\s*\{{(?P<address>[^{{}}\s]*)\}}
  | \\(?:[Cc]ite\w*|[Cc]ref|eqref|autoref|ref)\*?\s*(?:\[[^\[\]\\]{{0,200}}\]\s*){{0,2}}
    \{{(?P<key>[^{{}}]*)\}}
  | (?P<nothing>\\(?:left|right)\s*\. | \\(?:label|[vh]space|begin|end|color|textcolor)\*?\s*
    (?:\[[^\[\]\\]{{0,200}}\]\s*)?\{{[^{{}}]*\}})
  | \\sqrt\s*\[(?P<degree>[^\[\]\\{{}}]{{1,9}})\]
  | \\(?:SI|qty)\s*\{{(?P<number>[^{{}}]*)\}}(?:\[(?P<before>[^\[\]]{{0,50}})\])?
    \{{(?P<unit>[^{{}}]*)\}}
  | (?P<command>\\(?:operatorname\*|[A-Za-z]+))
    # Quotation marks that a program escaped: it\'s, \"so called\"
  | (?P<quote>(?<=[A-Za-z])\\'(?=(?:s|t|d|m|re|ve|ll)\b) | \\"(?![\w\\{{])
      | (?<![\w{{}}\\])\\"(?=[^"\\]*\\"(?!\w)))
  | (?P<symbol>\\[^A-Za-z])
  | (?P<mark>[{{}}^_~$])
  | (?P<run>(?:(?!{_LITERAL})[^\\{{}}^_~$])+)
  | (?P<rest>.)
"""
# A backslash pair is passed over, so that an escaped dollar opens nothing. What stands inside is
# never read twice: it ends at the next dollar, or at the next bracket.
_SPANS = r"""(?xs)
    \$\$(?P<display>(?:[^$\\]|\\.)++)\$\$
  | \$(?P<inline>(?:[^$\\]|\\.)++)\$
  | \\\((?P<round>(?:[^\\]|\\[^()\[\]])++)\\\)
  | \\\[(?P<square>(?:[^\\]|\\[^()\[\]])++)\\\]
  | (?P<escape>\\.)
"""
_SET_WORDS = (
    r"\\(?:text\w*|[mh]box|math(?:rm|it|bf|sf|tt|cal)|operatorname\*?)\s*\{[^{}]*\}|\\[A-Za-z]+"
)

# Symbols that stand between two things, and keep or lose the space of both sides together.
_RELATIONS = """
    times × div ÷ cdot · pm ± mp ∓ ast * star ⋆ circ ∘ bullet • oplus ⊕ ominus ⊖ otimes ⊗ odot ⊙
    cup ∪ cap ∩ setminus ∖ backslash ∖ wedge ∧ vee ∨ land ∧ lor ∨ leq ≤ le ≤ leqslant ≤ geq ≥ ge ≥
    geqslant ≥ ll ≪ gg ≫ lesssim ≲ gtrsim ≳ neq ≠ ne ≠ approx ≈ simeq ≃ cong ≅ equiv ≡ propto ∝
    sim ~ in ∈ notin ∉ ni ∋ subset ⊂ subseteq ⊆ supset ⊃ supseteq ⊇ prec ≺ succ ≻ preceq ⪯ succeq ⪰
    to → rightarrow → longrightarrow → leftarrow ← gets ← longleftarrow ← leftrightarrow ↔
    Rightarrow ⇒ Longrightarrow ⇒ implies ⇒ Leftarrow ⇐ Leftrightarrow ⇔ iff ⇔ mapsto ↦
    rightleftharpoons ⇌ uparrow ↑ downarrow ↓ nearrow ↗ searrow ↘ mid | parallel ∥ perp ⊥ vdash ⊢
    models ⊨ triangleq ≜ coloneqq := lt < gt > doteq ≐ asymp ≍ bowtie ⋈ rtimes ⋊ ltimes ⋉ amalg ⨿
"""
_LETTERS = """
    alpha α beta β gamma γ delta δ epsilon ε varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι
    kappa κ lambda λ mu μ nu ν xi ξ omicron ο pi π varpi ϖ rho ρ varrho ϱ sigma σ varsigma ς tau τ
    upsilon υ phi φ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ
    Upsilon Υ Phi Φ Psi Ψ Omega Ω infty ∞ partial ∂ nabla ∇ forall ∀ exists ∃ nexists ∄ neg ¬ lnot ¬
    emptyset ∅ varnothing ∅ hbar ℏ ell ℓ aleph ℵ wp ℘ sum ∑ prod ∏ coprod ∐ int ∫ iint ∬ oint ∮
    bigcup ⋃ bigcap ⋂ bigoplus ⨁ bigotimes ⨂ prime ′ angle ∠ triangle △ square □ Box □ diamond ⋄
    dagger † ddagger ‡ top ⊤ bot ⊥ degree ° textdegree ° checkmark ✓ flat ♭ sharp ♯ natural ♮
    therefore ∴ because ∵ complement ∁ micro µ textmu µ
"""
_SIGNS = """
    ldots … dots … cdots … dotsc … dotsb … vdots ⋮ ddots ⋱ textellipsis … langle ⟨ rangle ⟩ lfloor ⌊
    rfloor ⌋ lceil ⌈ rceil ⌉ lbrace { rbrace } lbrack [ rbrack ] vert | lvert | rvert | Vert ‖
    lVert ‖ rVert ‖ S § P ¶ copyright © textcopyright © textregistered ® texttrademark ™ pounds £
    euro € texteuro € textendash – textemdash — textasciitilde ~ textunderscore _ textbar |
    textless < textgreater > textquotedblleft “ textquotedblright ” textquoteleft ‘ textquoteright ’
    textquotesingle ' textbullet • LaTeX LaTeX TeX TeX BibTeX BibTeX eg e.g. ie i.e. etal et␣al.
    etc etc. wrt w.r.t. aka a.k.a. cf cf. item • quad ␣ qquad ␣ newline ␣ linebreak ␣ par ␣ space ␣
    enspace ␣ thinspace ␣ lq ‘ rq ’ dag † ddag ‡ slash /
"""
_NATIONAL = """
    o ø O Ø l ł L Ł ss ß ae æ AE Æ oe œ OE Œ aa å AA Å i ı j ȷ dh ð DH Ð th þ TH Þ ng ŋ NG Ŋ
"""
_FUNCTIONS = """
    log ln lg exp sin cos tan cot sec csc sinh cosh tanh coth arcsin arccos arctan max min sup inf
    lim limsup liminf argmax argmin arg det dim ker hom deg gcd lcm Pr mod bmod sgn sign tr Tr rank
    diag poly polylog span supp Var Cov vol erf softmax Re Im
"""
# Commands that only set type: what follows stays. The second list sets words in mathematics.
_TYPE = """
    mathrm mathbf mathit mathsf mathtt mathcal mathbb mathfrak mathscr mathnormal bm boldsymbol bf
    it em rm sf tt sc sl cal left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr
    limits nolimits displaystyle textstyle scriptstyle noindent centering protect xspace num si
    underbrace overbrace underline uline mathop mathbin mathrel mathord mathopen mathclose
    ensuremath small large Large tiny normalsize footnotesize bfseries itshape boldmath
"""
_WORDS = """
    text textit textbf textrm textsf texttt textsc textsl textup textmd textnormal emph mbox hbox
    textquote enquote title section subsection paragraph caption url path
"""
_SYMBOLS = {
    "%": "%", "&": "&", "#": "#", "_": "_", "{": "{", "}": "}", "$": "$", " ": " ", "\n": " ",
    ",": " ", ";": " ", ":": " ", ">": " ", "!": "", "|": "‖", "\\": " ",
}  # fmt: skip
# Combining characters for the accents of words, and for those of mathematics.
_ACCENTS = {
    "'": "\u0301", "`": "\u0300", '"': "\u0308", "^": "\u0302", "~": "\u0303", "=": "\u0304",
    ".": "\u0307", "c": "\u0327", "v": "\u030c", "u": "\u0306", "H": "\u030b", "k": "\u0328",
    "r": "\u030a", "d": "\u0323", "b": "\u0331",
}  # fmt: skip
_HATS = {
    "hat": "\u0302", "widehat": "\u0302", "tilde": "\u0303", "widetilde": "\u0303",
    "bar": "\u0304", "overline": "\u0304", "dot": "\u0307", "ddot": "\u0308", "vec": "\u20d7",
    "check": "\u030c", "breve": "\u0306", "acute": "\u0301", "grave": "\u0300",
    "mathring": "\u030a",
}  # fmt: skip
# Digits, signs and n have raised forms that fonts and screen readers know; other letters stay.
_SUPERSCRIPTS = str.maketrans("0123456789+-n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ")
_SUBSCRIPTS = str.maketrans("0123456789+-", "₀₁₂₃₄₅₆₇₈₉₊₋")


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@cache
def _table(words: str) -> Mapping[str, str]:
    names = [word.replace("␣", " ") for word in words.split()]
    return dict(zip(names[::2], names[1::2], strict=True))


@cache
def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


# --- Which dollars open mathematics ---------------------------------------------------------------


def _delimiters(text: str) -> dict[int, str]:
    """Find where mathematics opens and closes, by position; every other dollar is a dollar."""
    found: dict[int, str] = {}
    at = 0
    while span := _pattern(_SPANS).search(text, at):
        at = span.end()
        kind = span.lastgroup
        if kind == "inline" and not _is_mathematics(text, span):
            at -= 1  # the second dollar may open what the first did not
        elif kind != "escape":
            width = 1 if kind == "inline" else 2
            found |= {span.start(): "open", span.end() - width: "close"}
            found |= {span.start() + 1: "", span.end() - 1: ""} if kind == "display" else {}
    return found


def _is_mathematics(text: str, span: re.Match[str]) -> bool:
    """Tell mathematics from money, cash tags and shell variables between two dollars."""
    inner = span["inline"]
    if _is_prose(inner):
        return False
    if _pattern(r"[\\^{]|^_|^\s?[^\W\d_]\s?$|^[-+=<>*/|~]+$").search(inner):
        return True
    before = text[max(0, span.start() - 1) : span.start()]
    after = text[span.end() : span.end() + 1]
    infix = len(inner) <= _LONGEST_INFIX and not _pattern(r"\d").search(inner)
    return (
        inner == inner.strip()
        and not after.isdigit()
        and (" " not in inner or bool(_pattern(r"[-=<>+*/|,(]").search(inner)))
        and (not before.isalnum() or infix)
        and (not after.isalnum() or bool(_pattern(r"[\w)\]|'!*]$").search(inner)))
    )


def _is_prose(inner: str) -> bool:
    plain = _pattern(_SET_WORDS).sub("", inner)
    words = set(_pattern(r"(?<![^\s(])[A-Za-z][a-z]{2,}(?![^\s,.;:)])").findall(plain))
    count = len(words - _names(_FUNCTIONS))
    return count > 1 or (inner[0].isdigit() and (count == 1 or inner[-1].isspace()))


# --- What commands make of their arguments --------------------------------------------------------


def _join(piece: str) -> str:
    """Settle the edges: a space where letters would run together, nothing elsewhere."""
    if _EDGE not in piece:
        return piece
    tight = _pattern(rf"(?<=[\w)\]}}′*]){_EDGE}+(?=[^\W_⁰¹²³⁴-⁹⁺⁻ⁿ₀-₉]|[√∛∜])")
    return tight.sub(" ", piece).replace(_EDGE, "")


def _outline(piece: str) -> str:
    """Give what stands outside brackets, with an empty pair for each bracket."""
    kept: list[str] = []
    depth = 0
    for character in piece:
        depth -= character == ")"
        if depth <= 0:
            kept.append(character)
        depth += character == "("
    return "".join(kept)


def _grouped(piece: str) -> str:
    """Put brackets around what would not be read as one exponent or index."""
    return piece if _pattern(r"\w+|.|\(\)").fullmatch(_outline(piece)) else f"({piece})"


def _raised(piece: str) -> str:
    piece = piece.strip()
    if piece in ("", "∘", "°", "′", "*", "†", "‡", "th", "st", "nd", "rd", "′′", "™", "®"):
        return piece.replace("∘", "°")
    raised = piece.translate(_SUPERSCRIPTS)
    if not set(raised) & set(piece):
        return raised
    return f"^{_grouped(piece)}{_EDGE}"


def _lowered(piece: str) -> str:
    piece = piece.strip()
    lowered = piece.translate(_SUBSCRIPTS)
    if not set(lowered) & set(piece):
        return lowered
    return f"_{_grouped(piece)}{_EDGE}"


# One number or one letter, with its indices, or a function of something.
_FACTOR = r"[√∛∜∂]?(?:\d[\d.,]*|[^\W\d]|\(\)|[^\W\d]+\(\))[′⁰¹²³⁴-⁹⁺⁻ⁿ₀-₉]*(?:[_^](?:\w+|\(\)))?"


def _divided(above: str, below: str) -> str:
    above, below = above.strip(), below.strip()
    if _pattern(r"[-+±∓=<>≤≥≈·×/\s]").search(_outline(above)):
        above = f"({above})"
    if not _pattern(_FACTOR).fullmatch(_outline(below)):
        below = f"({below})"
    return f"{_EDGE}{above}/{below}{_EDGE}"


def _rooted(piece: str, degree: str = "2") -> str:
    sign = {"2": "√", "3": "∛", "4": "∜"}.get(degree, "")
    piece = piece if _pattern(_FACTOR).fullmatch(_outline(piece)) else f"({piece.strip()})"
    return f"{_EDGE}{sign}{piece}" if sign else f"{piece}^(1/{degree})"


def _choose(above: str, below: str) -> str:
    return f"({above} choose {below})"


def _word(piece: str) -> str:
    return f"{_EDGE}{piece.strip()}{_EDGE}"


def _linked(address: str, words: str) -> str:
    return words if words == address else f"{words} ({address})"


def _accented(mark: str, piece: str) -> str:
    base = {"ı": "i", "ȷ": "j"}.get(piece[:1], piece[:1])
    if not base.isalpha():
        return piece
    return unicodedata.normalize("NFC", base + mark) + piece[1:]


def _hatted(mark: str, piece: str) -> str:
    """Put a hat on one letter; over several there is no plain way, and they stay bare."""
    one = _pattern(r"[^\W\d_](?![^\W\d_])[\w^()]*").fullmatch(piece)
    return _accented(mark, piece) if one else piece


@cache
def _structures() -> Mapping[str, tuple[int, Callable[..., str]]]:
    """Commands with arguments: how many, and what becomes of them."""
    two: dict[str, Callable[..., str]] = {
        **dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac", "nicefrac", "sfrac"), _divided),
        **dict.fromkeys(("binom", "dbinom", "tbinom"), _choose),
        **dict.fromkeys(("overset", "stackrel"), lambda top, base: base + _raised(top)),
        "underset": lambda under, base: base + _lowered(under),
        "href": _linked,
    }
    one: dict[str, Callable[..., str]] = {
        **{name: partial(_hatted, mark) for name, mark in _HATS.items()},
        **dict.fromkeys(("operatorname", "operatorname*"), _word),
        **dict.fromkeys(("footnote", "footnotetext", "thanks"), "({})".format),
        "sqrt": _rooted,
        "pmod": "(mod {})".format,
        "textsuperscript": _raised,
        "textsubscript": _lowered,
    }
    return {name: (1 + (name in two), make) for name, make in {**one, **two}.items()}


# --- The converter --------------------------------------------------------------------------------


@dataclass(slots=True)
class _Waiting:
    """A command that waits for its arguments; `raw` is what stands there if none comes."""

    raw: str
    needs: int
    make: Callable[..., str]
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Frame:
    """A group or a formula that is still open. `bare` are braces that no command asked for."""

    opener: str = ""
    math: bool = False
    bare: bool = False
    known: int = 0
    parts: list[str] = field(default_factory=list)
    waiting: list[_Waiting] = field(default_factory=list)

    def settle(self) -> list[str]:
        """Give up on arguments that never came."""
        for command in self.waiting:
            self.parts.append(" ".join(command.arguments) or command.raw)
        self.waiting.clear()
        return self.parts


class _Converter:
    """One text on its way. `known` counts what was recognised as LaTeX."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.delimiters = _delimiters(text)
        self.stack = [_Frame()]
        self.known = 0
        self.too_deep = 0
        self.asked: bool | None = None  # a command asked for the next group: is it mathematics?
        self.swallow = False

    @property
    def top(self) -> _Frame:
        return self.stack[-1]

    def convert(self) -> str:
        for token in _pattern(_TOKENS).finditer(self.text):
            self.take(token)
        while len(self.stack) > 1:
            self.abandon()
        return _join("".join(self.top.settle())) if self.known else self.text

    def take(self, token: re.Match[str]) -> None:
        swallow, self.swallow = self.swallow, False
        piece = token.group()
        match token.lastgroup:
            case "run":
                self.run(piece.lstrip() if swallow else piece)
            case "command":
                self.command(piece[1:], token)
            case "symbol":
                self.symbol(piece[1], token)
            case "mark":
                self.mark(piece, token.start())
            case "quote":
                self.known += 1
                self.emit(piece[1:])
            case "literal" | "rest":
                self.emit(piece)
            case _:
                self.whole(token)

    # What goes out

    def emit(self, piece: str) -> None:
        """Give a finished piece to the command that waits for it, else to the text."""
        frame = self.top
        while frame.waiting:
            command = frame.waiting[-1]
            command.arguments.append(_join(piece))
            if len(command.arguments) < command.needs:
                return
            frame.waiting.pop()
            self.known += 1
            piece = command.make(*command.arguments)
        frame.parts.append(piece)

    def run(self, piece: str) -> None:
        """Take plain text; a waiting command gets its first character, as in TeX."""
        while self.top.waiting and (piece := piece.lstrip()):
            self.emit(piece[0])
            piece = piece[1:]
        self.top.parts.append(piece)

    def wait(self, raw: str, needs: int, make: Callable[..., str]) -> None:
        if len(self.top.waiting) < _DEEPEST:
            self.top.waiting.append(_Waiting(raw, needs, make))
        else:
            self.emit(raw)

    # Groups and formulas

    def mark(self, piece: str, at: int) -> None:
        if at in self.delimiters:
            self.delimit(self.delimiters[at])
        elif piece == "{":
            self.open()
        elif piece == "}":
            self.close()
        elif piece in "^_" and self.top.math:
            self.wait(piece, 1, _raised if piece == "^" else _lowered)
        elif piece == "~" and (self.top.math or self.ties(at)):
            self.emit(" ")
        else:
            self.emit(piece)

    def delimit(self, side: str) -> None:
        if side == "open":
            self.stack.append(_Frame("$", math=True))
        elif side == "close" and any(frame.opener == "$" for frame in self.stack):
            while self.top.opener != "$":
                self.abandon()
            self.known += 1
            formula = "".join(self.stack.pop().settle()).rstrip(_EDGE)
            self.emit(_pattern(r"(?<=[(\[{⟨\s])\s+|\s+(?=[)\]}⟩])").sub("", formula))

    def open(self) -> None:
        asked, self.asked = self.asked, None
        if len(self.stack) > _DEEPEST:
            self.too_deep += 1
            return
        math = self.top.math if asked is None else asked
        bare = asked is None and not self.top.math and not self.top.waiting
        self.stack.append(_Frame("{", math=math, bare=bare, known=self.known))

    def close(self) -> None:
        """Close a group: its text goes up, with its braces where they look like those of a set."""
        if self.too_deep:
            self.too_deep -= 1
        elif self.top.opener != "{":
            self.emit("}")
        else:
            frame = self.stack.pop()
            parts = frame.settle()
            if frame.bare and frame.known == self.known and any("," in part for part in parts):
                parts = ["{", *parts, "}"]
            if self.top.waiting:
                self.emit("".join(parts))
            else:
                self.top.parts.extend(parts)

    def abandon(self) -> None:
        """Close a group whose brace never came."""
        frame = self.stack.pop()
        self.emit("".join(["{" if frame.bare else "", *frame.settle()]))

    def ties(self, at: int) -> bool:
        """Tell a tie from a tilde: `wav2vec~2.0` from `10~20`, `/~user` and `x.edu/a~b`."""
        around = self.text[max(0, at - 1) : at + 2]
        before = self.text[max(0, at - _LONGEST_ADDRESS) : at]
        address = _pattern(r"\w\.[a-z]+/\S*\Z").search(before)
        return not address and bool(_pattern(r"(?!\d~\d)[^\s/~]~[^\s~]").fullmatch(around))

    # Commands

    def command(self, name: str, token: re.Match[str]) -> None:
        end = token.end()
        if name in _names(_TYPE) or name in _names(_WORDS):
            self.known += 1
            self.set_type(name, end)
        elif name in _structures():
            self.known += 1
            self.wait(token.group(), *_structures()[name])
            if name.startswith(("foot", "thanks")):
                self.pad(token)
        elif name in _ACCENTS and not self.top.math:
            self.accent(name, token)
        else:
            self.character(name, token)

    def set_type(self, name: str, end: int) -> None:
        self.swallow = True
        if _pattern(r"\s*\{").match(self.text, end):
            self.asked = name == "ensuremath" or (self.top.math and name in _names(_TYPE))

    def accent(self, name: str, token: re.Match[str]) -> None:
        """Wait for a letter that can carry the accent; without one, a backslash is a backslash."""
        end, mark = token.end(), _ACCENTS[name]
        gap = r"\s+" if name.isalpha() else ""
        letter = _pattern(rf"{gap}([^\W\d_])").match(self.text, end)
        if name in "^~" and self.text.startswith("{}", end):
            self.known += 1
            self.emit(name)
        elif _pattern(rf"\s*\{{\s*(?:\\.|[^\W\d_]\s*\}}|\}})|{gap}\\[ij](?!\w)").match(
            self.text, end
        ) or (letter and len(_accented(mark, letter[1])) == 1):
            self.wait(token.group(), 1, partial(_accented, mark))
        else:
            self.unknown(name, token)

    def character(self, name: str, token: re.Match[str]) -> None:
        self.known += 1
        math = self.top.math
        if name in _table(_RELATIONS):
            self.relation(_table(_RELATIONS)[name], token)
        elif name in _table(_LETTERS):
            tight = math and not self.top.waiting
            self.emit(_table(_LETTERS)[name])
            self.swallow = tight and bool(_pattern(r"\s+[A-Za-z0-9]").match(self.text, token.end()))
        elif name in _names(_FUNCTIONS):
            self.emit(_word(name))
        elif name in _table(_NATIONAL) and not math:
            self.emit(_table(_NATIONAL)[name])
            self.swallow = True
        elif name in _table(_SIGNS) and not (math and len(name) == 1):
            sign = _table(_SIGNS)[name]
            self.emit(sign.rstrip(".") if self.text.startswith(".", token.end()) else sign)
        else:
            self.known -= 1
            self.unknown(name, token)

    def relation(self, sign: str, token: re.Match[str]) -> None:
        before = self.text[max(0, token.start() - 1) : token.start()].isspace()
        after = self.text[token.end() : token.end() + 1]
        if self.top.math and after.isspace() and (self.top.waiting or not before):
            self.swallow = True
        elif self.top.math and before and after and not after.isspace() and after not in "$})],.^_":
            sign += " "
        self.emit(sign)

    def unknown(self, name: str, token: re.Match[str]) -> None:
        r"""Keep what is not known: `\name` in text, `name` in mathematics or before braces."""
        follows = self.text[token.end() : token.end() + 2]
        if self.top.math and name.isalpha():
            self.emit(_word(name))
        elif len(name) == 1 or follows[:1] != "{":
            self.emit(token.group())
        else:
            self.known += 1
            self.asked = False
            self.emit(name if follows == "{}" else "")

    def symbol(self, sign: str, token: re.Match[str]) -> None:
        math = self.top.math
        if token.start() in self.delimiters:
            self.delimit(self.delimiters[token.start()])
        elif sign in _ACCENTS:
            self.accent(sign, token)
        elif sign in _SYMBOLS and (math or sign not in "!;:>|"):
            self.known += 1
            self.emit(_SYMBOLS[sign])
        elif sign == "-" and _pattern(r"(?<=\w)\\-\w").match(self.text, token.start()):
            self.known += 1
        else:
            self.emit(token.group())

    def whole(self, token: re.Match[str]) -> None:
        """Take a command that was read together with its arguments."""
        self.known += 1
        match token.lastgroup:
            case "address":
                self.emit(_pattern(r"\\(.)").sub(r"\1", token["address"]))
            case "key":
                self.pad(token)
                self.emit(f"[{token['key']}]")
            case "degree":
                self.wait(token.group(), 1, partial(_rooted, degree=token["degree"]))
            case "unit":
                amount = f"{token['before'] or ''}{token['number']} {token['unit']}"
                self.emit(_pattern(r"\\(.)").sub(r"\1", amount).strip())

    def pad(self, token: re.Match[str]) -> None:
        """Part an aside from the word before it."""
        if self.text[max(0, token.start() - 1) : token.start()].strip(" \t\n~(["):
            self.top.parts.append(" ")
