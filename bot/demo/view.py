"""Turn what a simulated network received into views: posts as readers see them, and requests."""

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
"""A bot's last step in words, and how good or bad it is."""

_LAST = 3
_REFUSED = 400
_BROKEN = 500
# A GET of something that does not exist, such as a profile, counts as answered.
_NOT_THERE = (400, 404)


def column(
    stand_in: StandIn,
    records: Sequence[RequestRecord],
    switches: Switches,
    saying: Saying | None,
) -> ThreadView:
    """Return the view of one account. `records` are the requests to its network, oldest first.

    The caller holds the sandbox's lock.
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
        empty="No posts yet.",
        panel=_panel(stand_in, records, switches, saying),
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
    """Yield the posts, thread after thread, the oldest thread first."""
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
    details = stand_in.details(post)
    # stretches count from the beginning of the text as it was sent
    text = post.text if details.stretches else post.text.strip()
    parent = post.reply_to if post.reply_to in numbers else None
    return PostView(
        anchor=_anchor(network, post.id),
        number=numbers[post.id],
        pieces=linked(network, text, details.stretches),
        length=count,
        limit=stand_in.limit,
        when=f"{post.created:%H:%M:%S}",
        stamp=f"{post.created:%Y-%m-%dT%H:%M:%SZ}",
        notes=tuple(_notes(post, orphan=bool(post.reply_to) and not parent)),
        pictures=tuple(_pictures(stand_in, post, details.alts)),
        card=details.card,
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
            yield PictureView(
                alts.get(media_id, ""), "The file of this picture was never uploaded."
            )
            continue
        alt = alts.get(media_id, medium.alt)
        source = f"/media/{stand_in.network}/{media_id}"
        yield PictureView(alt, "", source, size_of(medium.data))


# -- Requests and faults ---------------------------------------------------------------------------


def _panel(
    stand_in: StandIn, records: Sequence[RequestRecord], switches: Switches, saying: Saying | None
) -> Panel:
    network = stand_in.network
    text, tone = saying or ("" if records else "Waiting for a bot to post here.", Tone.PLAIN)
    return Panel(
        summary=summary(records, stand_in.creates),
        saying=text,
        tone=tone,
        switches=tuple(
            SwitchView(kind.name, kind.label, kind.hint, switches.is_on(network, kind.name))
            for kind in kinds(network)
        ),
        asked=tuple(in_words(record) for record in records[-_LAST:]),
    )


def summary(records: Sequence[RequestRecord], creates: str) -> str:
    """Count a network's requests and what went wrong with them, in a line."""
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
    failures = [f"{number:,} {what}" for what, number in parts.items() if number]
    return " · ".join((_counted(len(records), "request"), *(failures or ["nothing went wrong"])))


def _end(record: RequestRecord) -> str:
    if record.status is None:
        return "dropped" if record.stage is Stage.DONE else "under way"
    if record.method == "GET" and record.status in _NOT_THERE and record.fault == NONE.name:
        return "answered"
    if record.status >= _BROKEN:
        return "broken"
    return "refused" if record.status >= _REFUSED else "answered"


def in_words(record: RequestRecord) -> str:
    """Return a request as `201 ← POST /2/tweets`, with "on purpose" if a fault was switched on."""
    unanswered = "no answer" if record.stage is Stage.DONE else "…"
    answer = unanswered if record.status is None else str(record.status)
    fault = "" if record.fault == NONE.name else " on purpose"
    return f"{answer}{fault} ← {record.method} {record.path}"
