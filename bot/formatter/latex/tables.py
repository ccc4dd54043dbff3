"""The tables of the LaTeX converter: tokens, commands, symbols."""

# The characters that look like ASCII (nu and v, the prime and the accent) are meant.
# ruff: noqa: RUF001
from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

# Names such as "log", and fractions, need a space beside a letter and none beside a bracket. This
# noncharacter marks their edges until the neighbours are known.
EDGE = "\ufdd0"

_LITERAL = r"""
    https?://[^\s{}\\$]+                    # an address
  | (?<![^\s"'(\[])[A-Za-z]:\\\w[^\s${}]*   # a path: C:\new
  | (?<!\S)\\\\\w[\w.-]*\\[^\s${}]*         # a share: \\server\new
  | \\o/ | (?<=\bw)\\o\b | ¯\\_             # arms raised, "w\o" for without, a shrug
"""
TOKENS = rf"""(?xs)
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
# A backslash and its character are skipped, so that an escaped dollar opens nothing. No text inside
# is read twice: it ends at the next dollar, or at the next bracket.
SPANS = r"""(?xs)
    \$\$(?P<display>(?:[^$\\]|\\.)++)\$\$
  | \$(?P<inline>(?:[^$\\]|\\.)++)\$
  | \\\((?P<round>(?:[^\\]|\\[^()\[\]])++)\\\)
  | \\\[(?P<square>(?:[^\\]|\\[^()\[\]])++)\\\]
  | (?P<escape>\\.)
"""
SET_WORDS = (
    r"\\(?:text\w*|[mh]box|math(?:rm|it|bf|sf|tt|cal)|operatorname\*?)\s*\{[^{}]*\}|\\[A-Za-z]+"
)

# Symbols between two operands: the space stays on both sides or on neither.
RELATIONS = """
    times × div ÷ cdot · pm ± mp ∓ ast * star ⋆ circ ∘ bullet • oplus ⊕ ominus ⊖ otimes ⊗ odot ⊙
    cup ∪ cap ∩ setminus ∖ backslash ∖ wedge ∧ vee ∨ land ∧ lor ∨ leq ≤ le ≤ leqslant ≤ geq ≥ ge ≥
    geqslant ≥ ll ≪ gg ≫ lesssim ≲ gtrsim ≳ neq ≠ ne ≠ approx ≈ simeq ≃ cong ≅ equiv ≡ propto ∝
    sim ~ in ∈ notin ∉ ni ∋ subset ⊂ subseteq ⊆ supset ⊃ supseteq ⊇ prec ≺ succ ≻ preceq ⪯ succeq ⪰
    to → rightarrow → longrightarrow → leftarrow ← gets ← longleftarrow ← leftrightarrow ↔
    Rightarrow ⇒ Longrightarrow ⇒ implies ⇒ Leftarrow ⇐ Leftrightarrow ⇔ iff ⇔ mapsto ↦
    rightleftharpoons ⇌ uparrow ↑ downarrow ↓ nearrow ↗ searrow ↘ mid | parallel ∥ perp ⊥ vdash ⊢
    models ⊨ triangleq ≜ coloneqq := lt < gt > doteq ≐ asymp ≍ bowtie ⋈ rtimes ⋊ ltimes ⋉ amalg ⨿
"""
LETTERS = """
    alpha α beta β gamma γ delta δ epsilon ε varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι
    kappa κ lambda λ mu μ nu ν xi ξ omicron ο pi π varpi ϖ rho ρ varrho ϱ sigma σ varsigma ς tau τ
    upsilon υ phi φ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ
    Upsilon Υ Phi Φ Psi Ψ Omega Ω infty ∞ partial ∂ nabla ∇ forall ∀ exists ∃ nexists ∄ neg ¬ lnot ¬
    emptyset ∅ varnothing ∅ hbar ℏ ell ℓ aleph ℵ wp ℘ sum ∑ prod ∏ coprod ∐ int ∫ iint ∬ oint ∮
    bigcup ⋃ bigcap ⋂ bigoplus ⨁ bigotimes ⨂ prime ′ angle ∠ triangle △ square □ Box □ diamond ⋄
    dagger † ddagger ‡ top ⊤ bot ⊥ degree ° textdegree ° checkmark ✓ flat ♭ sharp ♯ natural ♮
    therefore ∴ because ∵ complement ∁ micro µ textmu µ
"""
SIGNS = """
    ldots … dots … cdots … dotsc … dotsb … vdots ⋮ ddots ⋱ textellipsis … langle ⟨ rangle ⟩ lfloor ⌊
    rfloor ⌋ lceil ⌈ rceil ⌉ lbrace { rbrace } lbrack [ rbrack ] vert | lvert | rvert | Vert ‖
    lVert ‖ rVert ‖ S § P ¶ copyright © textcopyright © textregistered ® texttrademark ™ pounds £
    euro € texteuro € textendash – textemdash — textasciitilde ~ textunderscore _ textbar |
    textless < textgreater > textquotedblleft “ textquotedblright ” textquoteleft ‘ textquoteright ’
    textquotesingle ' textbullet • LaTeX LaTeX TeX TeX BibTeX BibTeX eg e.g. ie i.e. etal et␣al.
    etc etc. wrt w.r.t. aka a.k.a. cf cf. item • quad ␣ qquad ␣ newline ␣ linebreak ␣ par ␣ space ␣
    enspace ␣ thinspace ␣ lq ‘ rq ’ dag † ddag ‡ slash /
"""
NATIONAL = """
    o ø O Ø l ł L Ł ss ß ae æ AE Æ oe œ OE Œ aa å AA Å i ı j ȷ dh ð DH Ð th þ TH Þ ng ŋ NG Ŋ
"""
FUNCTIONS = """
    log ln lg exp sin cos tan cot sec csc sinh cosh tanh coth arcsin arccos arctan max min sup inf
    lim limsup liminf argmax argmin arg det dim ker hom deg gcd lcm Pr mod bmod sgn sign tr Tr rank
    diag poly polylog span supp Var Cov vol erf softmax Re Im
"""
# Commands that only set type: their argument stays. `WORDS` sets words, in mathematics too.
TYPE = """
    mathrm mathbf mathit mathsf mathtt mathcal mathbb mathfrak mathscr mathnormal bm boldsymbol bf
    it em rm sf tt sc sl cal left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr
    limits nolimits displaystyle textstyle scriptstyle noindent centering protect xspace num si
    underbrace overbrace underline uline mathop mathbin mathrel mathord mathopen mathclose
    ensuremath small large Large tiny normalsize footnotesize bfseries itshape boldmath
"""
WORDS = """
    text textit textbf textrm textsf texttt textsc textsl textup textmd textnormal emph mbox hbox
    textquote enquote title section subsection paragraph caption url path
"""
SYMBOLS = {
    "%": "%", "&": "&", "#": "#", "_": "_", "{": "{", "}": "}", "$": "$", " ": " ", "\n": " ",
    ",": " ", ";": " ", ":": " ", ">": " ", "!": "", "|": "‖", "\\": " ",
}  # fmt: skip
# Combining characters for the accents of words (`ACCENTS`) and of mathematics (`HATS`).
ACCENTS = {
    "'": "\u0301", "`": "\u0300", '"': "\u0308", "^": "\u0302", "~": "\u0303", "=": "\u0304",
    ".": "\u0307", "c": "\u0327", "v": "\u030c", "u": "\u0306", "H": "\u030b", "k": "\u0328",
    "r": "\u030a", "d": "\u0323", "b": "\u0331",
}  # fmt: skip
HATS = {
    "hat": "\u0302", "widehat": "\u0302", "tilde": "\u0303", "widetilde": "\u0303",
    "bar": "\u0304", "overline": "\u0304", "dot": "\u0307", "ddot": "\u0308", "vec": "\u20d7",
    "check": "\u030c", "breve": "\u0306", "acute": "\u0301", "grave": "\u0300",
    "mathring": "\u030a",
}  # fmt: skip
# Fonts and screen readers know the raised forms of digits, signs and n; other letters stay.
SUPERSCRIPTS = str.maketrans("0123456789+-n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ")
SUBSCRIPTS = str.maketrans("0123456789+-", "₀₁₂₃₄₅₆₇₈₉₊₋")


@cache
def pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern at its first use."""
    return re.compile(pattern)


@cache
def table(words: str) -> Mapping[str, str]:
    """Read pairs of words as names and their values."""
    names = [word.replace("␣", " ") for word in words.split()]
    return dict(zip(names[::2], names[1::2], strict=True))


@cache
def names(words: str) -> frozenset[str]:
    """Read words as a set of names."""
    return frozenset(words.split())
