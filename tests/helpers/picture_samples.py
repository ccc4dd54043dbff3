"""Digests that are hard to draw, and comparisons of pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from PIL import Image, ImageChops

from bot.formatter.select import tidied
from bot.model import Digest, Paper
from bot.picture.svg import Shape, svg
from tests.helpers.digest_writer import tweeted
from tests.helpers.paths import ROOT
from tests.helpers.rendered_threads import digest, paper, sample

GOLDEN = ROOT / "tests" / "golden"
LONG = (
    "Towards a Comprehensive and Reproducible Understanding of Large-Scale Self-Supervised "
    "Representation Learning under Distribution Shift: Benchmarks, Baselines and Beyond"
)


def with_titles(*texts: str) -> Digest:
    """A digest of papers with these titles."""
    return tidied(digest(*(paper(rank, title=text) for rank, text in enumerate(texts, 1))))


def with_counts(*counts: tuple[int, int]) -> Digest:
    """A digest of papers with these retweets and likes."""
    made = (paper(rank, metrics=tweeted(*pair)) for rank, pair in enumerate(counts, 1))
    return tidied(digest(*made))


def titled_paper(title: str, *authors: str) -> Paper:
    return paper(title=title, authors=authors)


def with_ranks(*papers: Paper) -> Digest:
    found = (replace(each, rank=rank) for rank, each in enumerate(papers, 1))
    return tidied(digest(*found))


SCRIPTS = with_ranks(
    titled_paper(
        "拡散モデルによる画像生成：「自己教師あり学習」の新しい展開", "佐藤 健", "髙橋 一郎"
    ),
    titled_paper(
        "基于大规模预训练语言模型的中文信息抽取方法研究与应用：以学术论文摘要为例", "王小明"
    ),
    titled_paper("대규모 언어 모델을 위한 효율적인 미세 조정 기법", "김민수", "이영희"),
    titled_paper(
        "Émile's naïve façade: Ψ-net, x̂ ≤ ŷ, ‖∇f‖₂, 10⁻³, O(n²)", "İlker Şahin", "Nguyễn Ánh"
    ),
    titled_paper("שלום עולם: מאמר על למידה (2021), חלק א'", "דוד כהן"),
    titled_paper("مقدمة في التعلم العميق: الشبكات العصبية", "Żaneta Łukasz"),
)
MANY = replace(
    with_ranks(*(titled_paper(f"{number} {LONG}", *(["Ada"] * 65)) for number in range(1, 31))),
    title="Hot Papers 2020-10-30 - 2020-11-01",
    day=date(2020, 10, 30),
    last_day=date(2020, 11, 1),
)
HOSTILE = with_titles(
    "🦙 LLaMA 😀 and 👩‍👩‍👧‍👦 family of 🇨🇭 models ❤️ ✓ ★ → ∞",
    "🤗🤗🤗",
    "a\u202eb\x00\x07c\u2066d \u0301\u0301\u0301 z̸̢̛͎a̷l̵g̶o",
    "<b>bold</b> & <script>alert('x')</script> \"quoted\" ]]> &lt;",
    "x" * 300,
    "@someone #tag cs.AI https://evil.example/a $TSLA",
    "",
    "\ud800 ชื่อเรื่องภาษาไทย",
)
APPROVED = {
    "2021-02-11": tidied(sample("2021-02-11")),
    "2021-08-06": tidied(sample("2021-08-06")),
    "scripts": SCRIPTS,
}
"""The digests whose pictures were looked at, and approved, by name."""


def golden_picture(name: str) -> Path:
    return GOLDEN / f"picture-{name}.png"


def pixels_of(data: bytes) -> Image.Image:
    """The pixels of a PNG; whatever is broken in it is an error."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.convert("RGB")


def difference(one: Image.Image, other: Image.Image, tolerance: int = 48) -> float:
    """The share of pixels in which two pictures of one size are plainly different."""
    assert one.size == other.size
    pixels = ImageChops.difference(one, other).convert("L")
    return sum(pixels.histogram()[tolerance:]) / (one.width * one.height)


def svg_document(*shapes: Shape) -> str:
    """Shapes on a sheet of 400 by 100."""
    return svg(shapes, 400, 100)


def lightness(colour: str) -> float:
    """The relative luminance of `#rrggbb`: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    dark, light = sorted((lightness(one), lightness(other)))
    return (light + 0.05) / (dark + 0.05)


def texts_of(shapes: Sequence[Shape]) -> list[str]:
    return [shape.text for shape in shapes if hasattr(shape, "text")]
