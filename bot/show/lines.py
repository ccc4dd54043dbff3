"""For people: plans and findings, as lines of text.

They are styled with ANSI codes, which `click.echo` drops where there is no terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial

from click import style

from bot.formatter.prices import PRICES, month_price, post_price, thread_price
from bot.model import Digest, Network, Post, Thread

_dim = partial(style, dim=True)
_NEARLY_FULL = 0.95


def dry_run(
    digest: Digest, source: str, threads: Sequence[Thread], *, width: int, verbose: bool = False
) -> Iterator[str]:
    """Every post of every thread as it would go out. `width` is the terminal's, 0 for no wrapping.

    With `verbose` each post also says which part it is and what had to give way for it to fit.
    """
    yield f"{style(digest.title, bold=True)} · {_papers(len(digest.papers))} · {source}"
    yield _dim("A dry run: nothing is sent, nothing is written.")
    for thread in threads:
        yield ""
        yield from _thread(thread, width, verbose=verbose)


def _thread(thread: Thread, width: int, *, verbose: bool) -> Iterator[str]:
    account = thread.account
    named = account.network if account.name == account.network else f"{account.name} · "
    named += "" if account.name == account.network else account.network
    yield style(f"{named} · {_posts(len(thread.posts))}", bold=True, fg="cyan")
    if not thread.posts:
        yield "  No paper of this digest is for this account."
    for post in thread.posts:
        yield ""
        yield from _post(post, width, verbose=verbose)
    if thread.posts and account.network is Network.TWITTER:
        yield ""
        yield from _bill(thread)


def _post(post: Post, width: int, *, verbose: bool) -> Iterator[str]:
    full = post.length >= _NEARLY_FULL * post.limit
    size = style(f"{post.length}/{post.limit}", fg="yellow" if full else "green")
    notes = _notes(post) if verbose else ""
    yield f"{post.position:>4}  {size}{_dim(notes)}"
    for line in post.text.split("\n"):
        for part in _wrapped(line, width - 8):
            yield f"    {_dim('│')} {part}".rstrip()
    for media in post.media:
        yield f"    {_dim('│')} [{media.type}: {media.alt}]"


def _notes(post: Post) -> str:
    shortened = f" · shortened: {', '.join(post.shortened)}" if post.shortened else ""
    return f" · {post.part}{shortened}"


def _wrapped(line: str, width: int) -> Sequence[str]:
    """The line in pieces of at most `width` cells; whole where there is no room worth the name."""
    if width < 20 or (line.isascii() and len(line) <= width):  # noqa: PLR2004 - see above
        return [line]
    from wcwidth import wrap  # noqa: PLC0415 - loads at first use

    return wrap(line, width) or [""]


def _bill(thread: Thread) -> Iterator[str]:
    """What X would bill for the thread, and for a month of such threads."""
    prices = [post_price(post.text) for post in thread.posts]
    total = thread_price(post.text for post in thread.posts)
    groups = [
        f"{_posts(prices.count(price))} at {_dollars(price)}"
        for price in sorted(set(prices), reverse=True)
    ]
    yield f"  X would bill {_dollars(total)}: {', '.join(groups)}."
    yield _dim(
        f"  One a day: about ${month_price(total):.2f} in 30 days. "
        f"Prices since {PRICES.since}, looked up {PRICES.read}."
    )


def _dollars(amount: Decimal) -> str:
    """`$0.20`, and `$0.015` where there is a third place to show."""
    text = f"{amount:.3f}"
    return f"${text.removesuffix('0')}"


def finding(level: str, subject: str, message: str, mend: str) -> Iterator[str]:
    """What a check found of a subject: a line, and the mend in a line below it."""
    colour = {"ok": "green", "warning": "yellow", "error": "red"}[level]
    yield f"{style(f'{level:<8}', fg=colour)} {subject:<10} {message}"
    if mend:
        yield f"{'':<19} {mend}"


def _papers(count: int) -> str:
    return f"{count} paper{'' if count == 1 else 's'}"


def _posts(count: int) -> str:
    return f"{count} post{'' if count == 1 else 's'}"
