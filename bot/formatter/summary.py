"""Choose the sentence of an abstract that says what the paper does.

Most abstracts begin with background. A sentence says what the paper does where its authors do
something in it ("we propose", "this paper presents", "is introduced"), or where it names what the
title names. Each sentence gets points for this, and the sentence with the most points is chosen,
of equals the first. The work is linear in the length of the abstract.
"""

from __future__ import annotations

import re
from functools import cache

from bot.formatter.tidy import sentences

LEAST = 2
"""The points from which a sentence says what the paper does."""
_SHORT = 3
_STEM = 5
LONGEST = 600
"""Characters of a sentence; a longer one is a list or a formula, and is not chosen."""

_FIRM = "propos|present|introduc"
_DOES = (
    "address|analy[sz]e|analy[sz]ing|argu|build|calibrat|characteri[sz]|collect|compar|compil"
    "|consider|construct|creat|defin|deliver|demonstrat|deriv|describ|design|detect|develop|discuss"
    "|draw|establish|evaluat|examin|explain|explor|extend|find|formali[sz]|formulat|generali[sz]"
    "|give|identif|illustrat|implement|improv|investigat|launch|leverag|map|model|offer|outlin"
    "|overview|perform|prov|provid|push|releas|report|review|reveal|show|solv|stud|summari[sz]"
    "|survey|tackl|take|train|us|utili[sz]"
)
_ADVERBS = r"(?:(?:\w{2,20}ly|also|first|here|then|thus|further|next|now|instead|briefly) ){0,2}"
_US = r"(?:we|i|the authors?)"
_THIS = (
    r"(?:this|the present|our) (?:\w{3,20} )?"
    r"(?:paper|work|stud(?:y|ies)|article|survey|chapter|thesis|report|letter|note|review|tutorial)"
)
_ENDING = r"\w{0,6}\b"
_SAYS: tuple[tuple[str, int], ...] = (
    (rf"\b{_US} {_ADVERBS}(?:{_FIRM}){_ENDING}", 6),
    (rf"\b{_THIS} {_ADVERBS}(?:{_FIRM}){_ENDING}", 6),
    (rf"\b{_US} (?:attempt(?:ed)? to |aim to |seek to |try to )?{_ADVERBS}(?:{_DOES}){_ENDING}", 3),
    (rf"\b{_THIS} {_ADVERBS}(?:{_DOES}|aims?|focuses|is concerned|looks){_ENDING}", 4),
    (rf"\b(?:is|are) {_ADVERBS}(?:propos|introduc|present)ed\b", 3),
    (r"\b(?:aim|goal|objective|purpose) of (?:this|the present|our) ", 3),
    (r"\b(?:in this|in the present|in our|here,? we|here,? i)\b", 3),
    (r"\bto (?:this|that) end\b|\bin this regard\b|\bto (?:address|tackle|remedy|overcome) th", 1),
    (r"\b(?:dataset|benchmark|librar(?:y|ies)|framework|survey)\b", 1),
)
_SAYS_LESS: tuple[tuple[str, int], ...] = (
    (r"\bwe (?:also|further|additionally|finally|hope|believe|expect|conclude|note|plan)\b", -4),
    (
        r"^(?:also|additionally|finally|furthermore|moreover|further|lastly|besides|in addition)\b",
        -4,
    ),
    (r"^(?:for example|notably|specifically|in particular|namely|second|third|then|next)\b", -3),
    (r"\b(?:experiment|evaluat|ablation|result)", -2),
    (r"\bour (?:results?|findings?|experiments?|code|implementation)\b", -2),
    (r"https?://|\bgithub|\bproject page|\bpublicly avail|\bwill be (?:made )?(?:avail|rel)", -8),
    (r"\b(?:code|codes|video|videos|models?) (?:is|are|can be|will be|has been)\b", -4),
    (r"to the best of our knowledge", -5),
    (r"\b(?:previous|prior|existing|recent|most|traditional) (?:work|method|appr|resea)", -2),
    (r"\b(?:these|those|this) (?:\w{3,20} )?(?:problem|issue|question|limitation|task)s?\b", -1),
)
_NEVER = (
    r"\\[A-Za-z]|\$|\?$|:$|[,;]$|…$|\b(?:steps|as follows|following|ways|aspects|parts)\.?$"
    r"|^(?:it|they|its|these|those|this (?:is|can|method|approach|makes|allows|means|leads))\b"
)
_LABEL = (
    r"^\W{0,2}(?:abstract|aims?|background|conclusions?|context|introduction|methods?|motivation"
    r"|objectives?|purpose|results?|findings)\b(?:\]|\s?[:.\u2013\u2014-])\s*"
)
_RESULT = r"^\W{0,2}(?:results?|findings)\b[\]:.]"
_CITATION = (
    r" ?\((?:[^()]{0,80}\bet al\b[^()]{0,120}|[A-Z][^()]{0,80}, (?:19|20)[0-9]{2}[a-z]?)\)"
    r"| ?\[(?:[0-9]{1,3}(?:, ?[0-9]{1,3}){0,20}|[a-z]{2,30}[0-9]{4}[a-z]{0,30})\]"
)
_LEAD = (
    r"^(?:(?:in this|in the present|in our) (?:\w{3,20} )?"
    r"(?:paper|work|study|article|survey|chapter|thesis|report|letter|note|review|tutorial),?"
    r"|(?:here|hence|thus|therefore|however|to this end|in this regard|in particular|specifically"
    r"|to (?:address|tackle|remedy|solve|overcome|meet|handle) (?:this|these|the) \w{3,20}),) "
    r"(?=(?:we|i|this|our|it|the)\b)"
)


def telling(title: str, abstract: str) -> tuple[str, ...]:
    """Return the sentences of a tidied abstract that say what the paper does, the best first.

    The other ones follow in their order, and come after the best in the abstract. The result is
    empty where no sentence says it, and where the abstract has no word of the title: it may be that
    of another paper. Labels, citations and leading phrases are removed. A short abstract has no
    room for background, so its first sentence is taken where none says more.
    """
    if not _stems(title) & _stems(abstract):
        return ()
    every = sentences(abstract)
    scores = [points(sentence, title) for sentence in every]
    best = max(scores, default=0)
    if best < LEAST:
        texts = map(plain, every if len(every) <= _SHORT else ())
        return tuple(text for text in texts if _stands_alone(text))[:1]
    place = scores.index(best)
    pairs = zip(scores[place:], every[place:], strict=True)
    return tuple(plain(sentence) for score, sentence in pairs if score >= LEAST)


def points(sentence: str, title: str) -> int:
    """Return how clearly a sentence says what the paper does; below `LEAST` it does not say it."""
    name = title.partition(":")[0] if ":" in title else ""
    is_named = name and len(name.split()) <= _SHORT and name.casefold() in sentence.casefold()
    score = 2 * bool(is_named) + 4 * bool(_pattern(_RESULT).search(sentence))
    score += sum(value for pattern, value in _SAYS if _pattern(pattern).search(sentence))
    if score < LEAST:  # what speaks against the sentence needs no look
        return score
    score += sum(value for pattern, value in _SAYS_LESS if _pattern(pattern).search(sentence))
    return score if score < LEAST or _stands_alone(plain(sentence)) else 0


def _stands_alone(text: str) -> bool:
    """Tell whether a sentence can be read without those around it."""
    is_open = text.count("(") != text.count(")") or text.count("[") != text.count("]")
    return bool(text) and not (is_open or len(text) > LONGEST or _pattern(_NEVER).search(text))


def _stems(text: str) -> set[str]:
    return {word[:_STEM].casefold() for word in _pattern(r"\w{4,}").findall(text)}


def plain(sentence: str) -> str:
    """Return a sentence without its label, citations and leading phrase, with a capital."""
    text = _pattern(_LABEL).sub("", _pattern(_CITATION).sub("", sentence))
    text = _pattern(_LEAD).sub("", text).strip()
    return text[:1].upper() + text[1:]


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)
