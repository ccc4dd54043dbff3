"""The sentences that a person chose in abstracts of the corpus, and how many the program chooses.

The person read the abstracts before the rule was written. Each line has the arXiv id of a paper and
the number of the sentence, from 0, that says best what the paper does.
"""

from __future__ import annotations

from pathlib import Path

from bot.digests.parse import parse
from bot.formatter.select import tidied
from bot.formatter.summary import LEAST, points
from bot.formatter.tidy import sentences

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
CHOICES = """
2006.14655 3
2008.03364 3
2008.04175 0
2008.09567 2
2009.01694 4
2009.04433 3
2009.07974 4
2009.07995 2
2009.08000 4
2009.08015 0
2009.08026 4
2009.08322 2
2009.08374 3
2010.00711 1
2010.00726 0
2010.01079 0
2010.03660 2
2010.03806 2
2010.03863 1
2010.03881 2
2010.04296 1
2010.04595 0
2010.04650 2
2010.05190 1
2010.05780 5
2010.05901 0
2010.07487 4
2010.07921 4
2010.10563 1
2010.10618 5
2010.11176 0
2010.11967 0
2010.12024 3
2010.12267 0
2010.12307 3
2010.15775 1
2011.05168 1
2011.08627 2
2011.08909 0
2011.09094 1
2011.10063 0
2012.00370 0
2012.00596 2
2012.09289 4
2012.09333 2
2012.09390 4
2012.09413 1
2012.09688 1
2012.09811 4
2012.12554 0
2012.14668 0
2012.15045 0
2012.15085 2
2012.15127 3
2012.15156 2
2012.15470 4
2012.15684 4
2012.15781 2
2101.06395 1
2101.06521 0
2102.05095 0
2102.08414 0
2102.08452 1
2102.08820 2
2102.10395 2
2102.10543 2
2102.10772 0
2102.10882 3
2102.10984 4
2102.11107 2
2102.12764 2
2102.13196 0
2102.13419 3
2102.13597 4
2103.03709 0
2103.11007 3
2103.11251 1
2103.11751 1
2103.11818 2
2103.11886 5
2103.12011 1
2103.16835 1
2103.16910 3
2103.17249 2
2104.04132 4
2104.07857 5
2104.08006 2
2104.08245 0
2104.09886 0
2104.11044 2
2105.01531 2
2105.03036 3
2105.03216 9
2105.07020 2
2105.07029 1
2105.07140 1
2105.07540 2
2105.07576 3
2105.08051 1
2105.13239 2
2105.13290 1
2106.00872 3
2106.01040 2
2106.01288 3
2106.01345 0
2106.07139 4
2106.07250 2
2106.09488 3
2106.09578 0
2106.09608 1
2106.09685 3
2106.09707 3
2106.10689 0
2106.10745 7
2106.11097 0
2106.11251 3
2106.13281 0
2106.13381 1
2107.02195 3
2107.02341 5
2107.02530 1
2107.02680 4
2107.02748 3
2107.02791 1
2108.01073 0
2108.02774 3
2108.06263 1
2201.04182 0
2201.04236 5
2201.04288 2
"""


def agreement() -> tuple[float, list[str]]:
    """The share of the choices that the program makes too, and the ids of the others."""
    papers = {
        paper.arxiv_id: paper
        for path in sorted(CORPUS.glob("*/*.md"))
        for paper in tidied(parse(path.read_bytes(), path.name)[0]).papers
    }
    wrong, number = list[str](), 0
    for arxiv_id, choice in map(str.split, CHOICES.split("\n")[1:-1]):
        paper = papers[arxiv_id]
        scores = [points(each, paper.title) for each in sentences(paper.abstract)]
        best = scores.index(max(scores)) if max(scores) >= LEAST else None
        number += 1
        if best != int(choice):
            wrong.append(arxiv_id)
    return 1 - len(wrong) / number, wrong
