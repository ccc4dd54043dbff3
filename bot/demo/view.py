"""Turn what a simulated network received into views: posts as readers see them, and requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from bot.demo.standins import BIO, NAME, StandIn
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
    network, rules = stand_in.network, stand_in.rules
    live = [post for post in rules.live() if post.author == rules.account]
    threads = sum(post.reply_to is None for post in live)
    gone = len(rules.every()) - len(rules.live())
    facts = [_counted(len(live), "post")]
    facts += [_counted(threads, "thread")] if threads > 1 else []
    facts += [f"{gone} deleted"] if gone else []
    text, tone = saying or ("" if records else "Waiting for a bot to post here.", Tone.PLAIN)
    panel = Panel(
        summary=summary(records, stand_in.creates),
        saying=text,
        tone=tone,
        switches=tuple(
            SwitchView(kind.name, kind.label, kind.hint, switches.is_on(network, kind.name))
            for kind in kinds(network)
        ),
        asked=tuple(in_words(record) for record in records[-_LAST:]),
    )
    return ThreadView(
        key=network.value,
        network=network,
        name=NAME,
        handle=stand_in.handle,
        bio=BIO,
        badge=stand_in.badge,
        facts=tuple(facts),
        posts=tuple(_posts(stand_in, live)),
        empty="No posts yet.",
        panel=panel,
    )


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


# -- Posts -----------------------------------------------------------------------------------------


def _posts(stand_in: StandIn, live: Sequence[Stored]) -> Iterator[PostView]:
    """Yield the posts, thread after thread, the oldest thread first."""
    roots: dict[str, str] = {}
    chains: dict[str, list[Stored]] = {}
    for post in live:
        roots[post.id] = roots.get(post.reply_to or "", post.id)
        chains.setdefault(roots[post.id], []).append(post)
    for chain in chains.values():
        numbers = {post.id: number for number, post in enumerate(chain, 1)}
        for post in chain:
            yield _post(stand_in, post, numbers, ends=post is chain[-1])


def _post(stand_in: StandIn, post: Stored, numbers: Mapping[str, int], *, ends: bool) -> PostView:
    network, details = stand_in.network, stand_in.details(post)
    parent = post.reply_to if post.reply_to in numbers else None
    # stretches count from the beginning of the text as it was sent
    text = post.text if details.stretches else post.text.strip()
    notes, pictures = [], []
    if post.reply_to and not parent:
        notes.append(Note("It replies to a post that is deleted.", Tone.BAD))
    if post.spoiler:
        notes.append(Note(f"Content warning: {post.spoiler}", Tone.PLAIN))
    for media_id in post.media:
        medium = stand_in.upload(media_id)
        alt = details.alts.get(media_id, medium.alt if medium else "")
        missing = "" if medium else "The file of this picture was never uploaded."
        source = f"/media/{network}/{media_id}" if medium else ""
        pictures.append(PictureView(alt, missing, source, size_of(medium.data) if medium else None))
    return PostView(
        anchor=_anchor(network, post.id),
        number=numbers[post.id],
        pieces=linked(network, text, details.stretches),
        length=length(network, post.text),
        limit=stand_in.limit,
        when=f"{post.created:%H:%M:%S}",
        stamp=f"{post.created:%Y-%m-%dT%H:%M:%SZ}",
        notes=tuple(notes),
        pictures=tuple(pictures),
        card=details.card,
        visibility=post.visibility if network is Network.MASTODON else "",
        language=post.language or "",
        parent=_anchor(network, parent) if parent else "",
        parent_number=numbers[parent] if parent else 0,
        ends=ends,
    )


def _anchor(network: Network, post_id: str) -> str:
    return f"{network}-{post_id.rpartition('/')[2]}"


# -- Requests --------------------------------------------------------------------------------------


def summary(records: Sequence[RequestRecord], creates: str) -> str:
    """Count a network's requests and what went wrong with them, in a line."""
    if not records:
        return "No requests yet."
    counts = Counter(map(_end, records))
    sent = Counter(
        record.body for record in records if (record.method, record.path) == ("POST", creates)
    )
    counts["tried again"] = sum(number - 1 for number in sent.values())
    failures = [
        f"{counts[what]:,} {what}"
        for what in ("refused", "failed", "unanswered", "tried again")
        if counts[what]
    ]
    return " · ".join((_counted(len(records), "request"), *(failures or ["nothing went wrong"])))


def _end(record: RequestRecord) -> str:
    if record.status is None:
        return "unanswered" if record.stage is Stage.DONE else "under way"
    if record.method == "GET" and record.status in _NOT_THERE and record.fault == NONE.name:
        return "answered"
    if record.status >= _BROKEN:
        return "failed"
    return "refused" if record.status >= _REFUSED else "answered"


def in_words(record: RequestRecord) -> str:
    """Return a request as `201 ← POST /2/tweets`, with "on purpose" if a fault was switched on."""
    unanswered = "no answer" if record.stage is Stage.DONE else "…"
    answer = unanswered if record.status is None else str(record.status)
    fault = "" if record.fault == NONE.name else " on purpose"
    return f"{answer}{fault} ← {record.method} {record.path}"
