"""What a stand-in received, as views for the page: posts as readers see them, requests in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from bot.demo.standins import StandIn
from bot.demo.switches import Switches, kinds
from bot.formatter.limits import length
from bot.model import Network
from bot.output.page.pieces import linked, size_of
from bot.output.page.views import Note, Panel, PictureView, PostView, SwitchView, ThreadView, Tone
from bot.sandbox.faults import NONE
from bot.sandbox.script import RequestRecord, Stage
from bot.sandbox.service import Stored

Saying = tuple[str, Tone]
"""What a bot says of its last step, and how that feels."""

_LAST = 3
_REFUSED = 400
_BROKEN = 500
# What is asked of something that is not there, such as a profile, has its answer.
_NOT_THERE = (400, 404)


def column(
    stand_in: StandIn,
    records: Sequence[RequestRecord],
    switches: Switches,
    said: Saying | None,
) -> ThreadView:
    """An account of the sandbox; `records` are the requests to its network, oldest first.

    Hold the sandbox's lock.
    """
    network = stand_in.network
    live = [post for post in stand_in.rules.live() if post.author == stand_in.rules.account]
    gone = len(stand_in.rules.every()) - len(stand_in.rules.live())
    return ThreadView(
        key=network.value,
        network=network,
        name=stand_in.name,
        handle=stand_in.handle,
        bio=stand_in.bio,
        badge=stand_in.badge,
        facts=tuple(_facts(live, gone)),
        posts=tuple(_posts(stand_in, live)),
        empty="Nothing was posted yet.",
        panel=_panel(stand_in, records, switches, said),
    )


def _facts(live: Sequence[Stored], gone: int) -> Iterator[str]:
    yield _counted(len(live), "post")
    threads = sum(post.reply_to is None for post in live)
    if threads > 1:
        yield _counted(threads, "thread")
    if gone:
        yield f"{gone} deleted"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


# -- Posts -----------------------------------------------------------------------------------------


def _posts(stand_in: StandIn, live: Sequence[Stored]) -> Iterator[PostView]:
    """Thread after thread in the order they began, each in the order of its posts."""
    roots: dict[str, str] = {}
    for post in live:
        roots[post.id] = roots.get(post.reply_to or "", post.id)
    chains: dict[str, list[Stored]] = {}
    for post in live:
        chains.setdefault(roots[post.id], []).append(post)
    for chain in chains.values():
        numbers = {post.id: number for number, post in enumerate(chain, 1)}
        for post in chain:
            yield _post(stand_in, post, numbers, ends=post is chain[-1])


def _post(stand_in: StandIn, post: Stored, numbers: Mapping[str, int], *, ends: bool) -> PostView:
    network = stand_in.network
    count = length(network, post.text)
    more = stand_in.trimmings(post)
    text = post.text if more.stretches else post.text.strip()  # places count from its beginning
    parent = post.reply_to if post.reply_to in numbers else None
    return PostView(
        anchor=_anchor(network, post.id),
        number=numbers[post.id],
        pieces=linked(network, text, more.stretches),
        length=count,
        limit=stand_in.limit,
        when=f"{post.created:%H:%M:%S}",
        stamp=f"{post.created:%Y-%m-%dT%H:%M:%SZ}",
        notes=tuple(_notes(post, orphan=bool(post.reply_to) and not parent)),
        pictures=tuple(_pictures(stand_in, post, more.alts)),
        leaf=more.leaf,
        visibility=post.visibility if network is Network.MASTODON else "",
        language=post.language or "",
        parent=_anchor(network, parent) if parent else "",
        parent_number=numbers[parent] if parent else 0,
        ends=ends,
    )


def _anchor(network: Network, post_id: str) -> str:
    return f"{network}-{post_id.rpartition('/')[2]}"


def _notes(post: Stored, *, orphan: bool) -> Iterator[Note]:
    if orphan:
        yield Note("It replies to a post that is deleted.", Tone.BAD)
    if post.spoiler:
        yield Note(f"Content warning: {post.spoiler}", Tone.PLAIN)


def _pictures(stand_in: StandIn, post: Stored, alts: Mapping[str, str]) -> Iterator[PictureView]:
    for media_id in post.media:
        medium = stand_in.upload(media_id)
        if medium is None:
            yield PictureView(alts.get(media_id, ""), "Its file never came over the wire.")
            continue
        alt = alts.get(media_id, medium.alt)
        source = f"/media/{stand_in.network}/{media_id}"
        yield PictureView(alt, "", source, size_of(medium.data))


# -- How it copes ----------------------------------------------------------------------------------


def _panel(
    stand_in: StandIn, records: Sequence[RequestRecord], switches: Switches, said: Saying | None
) -> Panel:
    network = stand_in.network
    text, tone = said or ("" if records else "Waiting for a bot to post here.", Tone.PLAIN)
    return Panel(
        coping=coping(records, stand_in.creates),
        saying=text,
        tone=tone,
        switches=tuple(
            SwitchView(kind.name, kind.label, kind.hint, switches.is_on(network, kind.name))
            for kind in kinds(network)
        ),
        asked=tuple(in_words(record) for record in records[-_LAST:]),
    )


def coping(records: Sequence[RequestRecord], creates: str) -> str:
    """What was asked of a network and what went wrong, in a line."""
    if not records:
        return "No requests yet."
    counts = Counter(map(_end, records))
    sent = Counter(
        record.body for record in records if (record.method, record.path) == ("POST", creates)
    )
    again = sum(number - 1 for number in sent.values())
    parts = {
        "refused": counts["refused"],
        "failed": counts["broken"],
        "unanswered": counts["dropped"],
        "tried again": again,
    }
    told = [f"{number:,} {what}" for what, number in parts.items() if number]
    return " · ".join((_counted(len(records), "request"), *(told or ["nothing went wrong"])))


def _end(record: RequestRecord) -> str:
    if record.status is None:
        return "dropped" if record.stage is Stage.DONE else "under way"
    if record.method == "GET" and record.status in _NOT_THERE and record.fault == NONE.name:
        return "answered"
    if record.status >= _BROKEN:
        return "broken"
    return "refused" if record.status >= _REFUSED else "answered"


def in_words(record: RequestRecord) -> str:
    """One request: `201 ← POST /2/tweets`, and whether it went wrong on purpose."""
    unanswered = "no answer" if record.stage is Stage.DONE else "…"
    answer = unanswered if record.status is None else str(record.status)
    fault = "" if record.fault == NONE.name else " on purpose"
    return f"{answer}{fault} ← {record.method} {record.path}"
