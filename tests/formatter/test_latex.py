from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.formatter.latex.convert import latex_to_text
from tests.helpers.paths import corpus, corpus_only

# What stands in real titles, and what a person would write there.
TITLES = {
    r"$N^{1/2} \operatorname{polylog}(N)$": "N^(1/2) polylog(N)",
    r"360$^{\circ}$": "360°",
    r"It$\hat{\text{o}}$TTS and It$\hat{\text{o}}$Wave": "ItôTTS and ItôWave",
    r"S$^2$-MLPv2": "S²-MLPv2",
    r"S$^2$-MLP": "S²-MLP",
    r"$Q$-Learning": "Q-Learning",
    r"Top-$k$": "Top-k",
    r"GPT-$3$": "GPT-3",
    r"$SU(N)$": "SU(N)",
    r"$K$-Core": "K-Core",
}
MATHEMATICS = r"""
$\ell_p$-norm => ℓ_p-norm
$\mathcal{O}(T)$ in $\mathbb{R}^d$ => O(T) in R^d
$\mathrm{AdS}_3/\mathrm{CFT}_2$ => AdS₃/CFT₂
$B \to K^{(*)} \ell^+ \ell^-$ => B → K^(*) ℓ⁺ ℓ⁻
$e^{-x^2}$ and $10^{-3}$ => e^(-x²) and 10⁻³
$\sqrt{s}=13$ TeV => √s=13 TeV
$\sqrt[3]{n}$, $\sqrt[5]{n}$, $\sqrt{n+1}$, $\sqrt{\pi x}$ => ∛n, n^(1/5), √(n+1), √(πx)
$\Lambda$CDM, H$\alpha$, $\mu$m, {\mu}m => ΛCDM, Hα, μm, μm
$^{13}$C at 20$^\circ$C, CO$_2$, H$_2$O => ¹³C at 20°C, CO₂, H₂O
$30^\circ C$ => 30°C
$\sim$10 or $\sim 5\%$ => ~10 or ~5%
$z \sim 6$, $z\sim6$, $z\sim 6$, $z \sim6$ => z ~ 6, z~6, z~6, z ~ 6
$\mathsf{P} \neq \mathsf{NP}$ => P ≠ NP
$(\epsilon,\delta)$-DP => (ε,δ)-DP
$O(\log^2 n)$, $n\log n$, $\log\log n$, $2\log_2 n$ => O(log² n), n log n, log log n, 2 log₂ n
$\tilde{O}(\sqrt{T})$, $\tilde \Theta$ => Õ(√T), Θ̃
$\hat{\boldsymbol{x}}$, $\bar{x_i}$, $\overline{\rm MS}$ => x̂, x̄_i, MS
$\|x\|_2$, $a_{1},\ldots,a_{n}$ => ‖x‖₂, a₁,…,a_n
$\{0,1\}^n$, $\{1, \dots, n\}$ => {0,1}ⁿ, {1, …, n}
$x^{\prime}$, $x'$, $A^*$, $M_\odot$ => x′, x', A*, M_⊙
$x_{t+1}$, $x_{ij}$, $x_{syn}$, $x_iy_j$ => x_(t+1), x_ij, x_syn, x_i y_j
$2^{n-1}$, $W^{1,p}$, $\gamma^t$, $k^{th}$, $x_{}$ => 2ⁿ⁻¹, W^(1,p), γ^t, kth, x
$\frac12$, $\frac{1}{2}$-BPS, $2\frac{1}{3}$ => 1/2, 1/2-BPS, 2 1/3
$\frac{a+b}{c}$, $\frac{a}{bc}$, $\frac{1}{n(n+1)}$ => (a+b)/c, a/(bc), 1/n(n+1)
$\frac{\sin(x)+\cos(x)}{\sqrt{\pi x}}$ => (sin(x)+cos(x))/√(πx)
$O\left( \frac{S^2A}{\epsilon^2} \right)$ => O(S²A/ε²)
$\left.\frac{\partial f}{\partial x}\right|_0$ => ∂f/∂x|₀
$\int_0^1 f(x)\,dx$, $\sum_{i=1}^n x_i$ => ∫₀¹ f(x) dx, ∑_(i=1)ⁿ x_i
$\underset{x}{\max} f$, $\overset{d}{\to}$, $\binom{n}{k}$ => max_x f, →^d, (n choose k)
$x \equiv 1 \pmod{4}$ => x ≡ 1 (mod 4)
$x\in\mathbb{R}^n$, $k\le 3$, $k \le 3$ => x∈Rⁿ, k≤3, k ≤ 3
$\Delta m^2$, $2\pi r$, $\sin x$, $A^\top B$ => Δm², 2πr, sin x, A^⊤ B
$n=3 \text{ or } 5$ => n=3 or 5
$D_{KL}(P \| Q)$ => D_KL(P ‖ Q)
$600-700$ ms, $+2.0$ BLEU, $4.6$ folds => 600-700 ms, +2.0 BLEU, 4.6 folds
5$-$7, $T=100,000$ => 5-7, T=100,000
$$\omega < 2.37$$ and \(x_1\) => ω < 2.37 and x₁
be \[\tilde \Theta\left(n\right),\] giving => be Θ̃(n), giving
$X / \Gamma$, $(M\leq N)$, $v,w$, $ n $. => X / Γ, (M≤N), v,w,  n .
A $\$100$ prize => A $100 prize
$\R^n$, $\E[x]$, $\S$, $\o$ => Rⁿ, E[x], S, o
$a~b$, $\ensuremath{x_1}$, $\text{a_b}$ => a b, x₁, a_b
"""
WORDS = r"""
Schr\"odinger, K{\"a}hler, Poincar\'{e} => Schrödinger, Kähler, Poincaré
T\"UV, k\=oan => TÜV, kōan
Erd\H{o}s-R\'enyi, \v{C}ech, {\'E}cole, Ko\c{c}, Ko\c c => Erdős-Rényi, Čech, École, Koç, Koç
Na\"{\i}ve, Na\"\i ve, Nguy\~{\^e}n, \`a la => Naïve, Naïve, Nguyễn, à la
S\o ren, {\O}rsted, Stra\ss e => Søren, Ørsted, Straße
\L{}ukasz, \AA ngstr\"om => Łukasz, Ångström
\textbf{S}taged \emph{key, value} {\em even} \textit{in silico} => Staged key, value even in silico
{\em constant $\rho$ ansatz} => constant ρ ansatz
at \url{https://a.b/~x_y}, \url{github.com/a\_b} => at https://a.b/~x_y, github.com/a_b
here \footnote{\url{https://a.b/c_d}}. => here (https://a.b/c_d).
there\footnote{Soon.}. => there (Soon.).
\href{https://a.b}{site}, \href{https://a.b}{https://a.b} => site (https://a.b), https://a.b
5\% \& MADV\_WIPE \#1 \{x\} \$5 => 5% & MADV_WIPE #1 {x} $5
wav2vec~2.0 by~30\%, 10~20, /~user => wav2vec 2.0 by 30%, 10~20, /~user
UNITER~\cite{c20} => UNITER [c20]
at x.edu/a\_b~c of~all => at x.edu/a_b~c of all
in\citep[see][p. 3]{a,b} (\ref{x}) => in [a,b] ([x])
(\eg, this), \ie that, etc\etc. => (e.g., this), i.e. that, etcetc.
\section{One}\label{s:1} \vspace{2pt}{\color{red}two} \textcolor{red}{three} => One two three
\LaTeX{} and \TeX, \algoname{} and \name{BERT} => LaTeX and TeX, algoname and BERT
2\textsuperscript{nd}, \textregistered, H\textsubscript{2}O => 2nd, ®, H₂O
\SI{5000}[\$]{}, \SI{5}{\kilo\metre}, \num{3} => $5000, 5 kilometre, 3
hy\-phen, 10\,km, one\\two, \textbf x => hyphen, 10 km, one two, x
the \%: {0, 1} and {BERT} => the %: {0, 1} and BERT
\alpha particles, \log n, \pm 1, \dots and so on => α particles, log n, ± 1, … and so on
\~{} and \^{} and x\textsuperscript{2} => ~ and ^ and x²
It\'s \"so called\", don\'t => It's "so called", don't
"""
# Dollars, backslashes and their like that mean themselves.
PLAIN = r"""
$5 million and $7 million
costs $5, ($7 in Europe)
5$ million
5$-7$ million
US$5/C$6
$5 each, $6 or 7$ for all
$100M/$200M
$5-$7 million
R$5 and R$6
$
$$
$ $
a$
buy $TSLA, sell $AAPL
$TSLA,$AAPL
$TSLA-$AAPL
$HOME/bin:$PATH
A$AP Rocky and Ke$ha
A$AP Ke$ha
Micro$oft-$un
f($x)($y)
$a[$b]
if $a or $b then
$x, $y
C:\new foo
see D:\text\alpha.txt
\\server\new\alpha x
foo_bar x^2
100% of
\o/
w\o training
¯\_(ツ)_/¯
a\b \n \w+ \d{4} \p{L} \u0041
\algoname (\foo)
a~b {x} `y`
trailing \
\(open
\] \[ \)
\d x, \r\n, \c1
a \- b, \/ \; \! \*
\"k\"z
"""


def holds(shown: str, letters: str) -> bool:
    """Tell whether the letters stand in a text, in their order."""
    left = iter(unicodedata.normalize("NFKD", shown))
    return all(letter in left for letter in letters)


def cases(table: str) -> list[list[str]]:
    return [line.split(" => ") for line in table.strip().splitlines()]


@pytest.mark.parametrize(("latex", "text"), [*TITLES.items(), *cases(MATHEMATICS), *cases(WORDS)])
def test_latex_becomes_what_a_person_would_write(latex: str, text: str) -> None:
    assert latex_to_text(latex) == text


@pytest.mark.parametrize("text", PLAIN.strip().splitlines())
def test_what_is_not_latex_stays(text: str) -> None:
    assert latex_to_text(text) == text


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"bad { brace \% x", "bad { brace % x"),
        (r"bad } brace \% x", "bad } brace % x"),
        (r"\textbf{never closed", "never closed"),
        (r"{\em never closed", "{never closed"),
        (r"$\frac{a}$ and $x^$ and $\hat$", "a and x^ and \\hat"),
        (r"$\text{a$ b}", "a b}"),
        (r"$\frac$", r"\frac"),
        (r"\sqrt", r"\sqrt"),
        (r"\% and $x", "% and $x"),
        (r"\(x_1\) } \)", "x₁ } \\)"),
        ("\\alpha\ufdd0", "α"),
        ("\\% \\", "% \\"),
        (r"\'{1} \'{} \%", r"\'1  %"),
        (r"\"{\foo} \%", r"\foo %"),
    ],
)
def test_malformed_latex_is_kept_as_far_as_it_is_not_understood(latex: str, text: str) -> None:
    assert latex_to_text(latex) == text


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "$" * 1_000_000,
        "{" * 10_000 + r"\% word" + "}" * 10_000,
        "{a" * 50_000 + r"\% word" + "}" * 50_000,
        "$" + "x^{" * 50_000 + " word" + "}" * 50_000 + "$",
        "$" + "^" * 50_000 + " word$",
        "$" + r"\frac" * 50_000 + " word$",
        r"\footnote{" * 50_000 + " word",
        r"\cite[" * 50_000 + " word",
        r"\(" * 100_000 + " word",
        "``" * 100_000 + r"\% word",
    ],
    ids=lambda text: text[:9],
)
def test_depth_and_length_hurt_nobody(text: str) -> None:
    assert holds(latex_to_text(text), "word" * text.count("word"))


@given(st.text().filter(lambda text: "\\" not in text and "$" not in text))
def test_without_a_backslash_or_a_dollar_nothing_changes(text: str) -> None:
    assert latex_to_text(text) is text


money = st.builds(
    "${}{}".format, st.integers(0, 999), st.sampled_from(["", "M", " million", ".50"])
)
joints = st.sampled_from([" ", " and ", ", ", " or ", "/", "-", " to ", " vs. ", "; "])


@given(st.lists(st.tuples(money, joints)))
def test_money_stays_money(amounts: list[tuple[str, str]]) -> None:
    text = "".join(amount + joint for amount, joint in amounts)
    assert latex_to_text(text) == text


COMMANDS = r"""
    \alpha \times \leq \log \frac \sqrt \hat \tilde \text \mathrm \emph \textbf \footnote \url \cite
    \operatorname \left( \right) \left. \% \$ \_ \{ \} \, \! \\ \" \' \^ \~ \c \v \o \ss \i \unknown
    \unknown{} \begin{x} \( \) \[ \] \sqrt[3] \SI{ \qty{5}[ \ensuremath \binom \pmod $ $$ { } [ ]
    ^ _
    ~ & % # ( ) - , . ; | ' " ` `` '' 5 10 C:\ http://x
""".split()  # noqa: SIM905  (a table of pieces reads better in lines)
words = st.sampled_from(["zebra", "quick", "Jumps", "lazy"])
soup = st.lists(st.sampled_from(COMMANDS) | st.just(" ") | words.map(" {}".format)).map("".join)


@given(soup | st.text("\\${}^_~% abc\"'"))
def test_no_letter_of_a_word_is_lost_however_malformed_the_latex(latex: str) -> None:
    written = "".join(re.findall(r" (zebra|quick|Jumps|lazy)", latex))
    assert holds(latex_to_text(latex), written)


@given(soup)
def test_no_mathematical_alphabet_and_no_mark_of_our_own_goes_out(latex: str) -> None:
    shown = latex_to_text(latex)
    assert not re.search("[\U0001d400-\U0001d7ff\ufdd0]", shown)


@corpus_only
def test_every_title_of_the_real_digests_reads_well() -> None:
    lines = [line for path in corpus() for line in path.read_text(encoding="utf-8").splitlines()]
    titles = [line for line in lines if re.match(r"# \d+\. .*[$\\]", line)]
    assert len(titles) >= 10
    for title in titles:
        expected = title
        for latex, text in TITLES.items():
            expected = expected.replace(latex, text)
        assert latex_to_text(title) == expected
        assert "$" not in expected


@corpus_only
def test_hardly_a_line_of_the_real_digests_keeps_a_backslash_or_a_dollar() -> None:
    lines = [line for path in corpus() for line in path.read_text(encoding="utf-8").splitlines()]
    latex = [line for line in lines if re.search(r"[$\\]", line) and not line.startswith("<")]
    left = [line for line in map(latex_to_text, latex) if re.search(r"\\|\$(?!\d)", line)]
    assert len(latex) > 80
    assert len(left) <= 1, left
