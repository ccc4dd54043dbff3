"""Show plans and findings as lines of text.

The lines contain ANSI codes, which `click.echo` drops if there is no terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial

from click import style

from bot.formatter.tidy import tidy
from bot.formatter.x.prices import PRICES, month_price, post_price, thread_price
from bot.ledger.rows import StoredPost, StoredThread
from bot.model import Digest, Network, Post, Thread
from bot.output.data import is_near, shown_posts

_dim = partial(style, dim=True)


def dry_run(  # noqa: PLR0913 - what is shown, and how
    digest: Digest,
    source: str,
    threads: Sequence[Thread],
    stored: Mapping[str, StoredThread | None],
    *,
    width: int,
    verbose: bool = False,
) -> Iterator[str]:
    """Yield every post of every thread as it would be published, and which posts already are.

    `stored` holds, by account, the thread in the ledger. `width` is the terminal's, 0 for no
    wrapping. With `verbose` each post also says which part it is and what was shortened in it.
    """
    yield f"{style(tidy(digest.title), bold=True)} · {_papers(len(digest.papers))} · {source}"
    yield _dim("Dry run: nothing is sent and nothing is saved.")
    for thread in threads:
        yield ""
        yield from _thread(thread, stored.get(thread.account.name), width, verbose=verbose)


def _thread(
    thread: Thread, stored: StoredThread | None, width: int, *, verbose: bool
) -> Iterator[str]:
    account = thread.account
    named = account.network.value
    if account.name != account.network:
        named = f"{account.name} · {named}"
    posts = shown_posts(thread, stored)
    yield style(f"{named} · {_posts(len(posts))}", bold=True, fg="cyan")
    if not posts:
        yield "  No paper of this digest is for this account."
        return
    if stored and all(known is None for _, known in posts):
        yield "  This thread was retracted. Publish it again with bot post --again."
    for post, known in posts:
        yield ""
        yield from _post(post, known, width, verbose=verbose)
    if account.network is Network.TWITTER:
        yield ""
        yield from _bill([post for post, known in posts if not (known and known.id)])


def _post(post: Post, known: StoredPost | None, width: int, *, verbose: bool) -> Iterator[str]:
    size = style(f"{post.length}/{post.limit}", fg="yellow" if is_near(post) else "green")
    state = f" · {known.state} {known.url}".rstrip() if known else ""
    notes = _notes(post) if verbose else ""
    yield f"{post.number:>4}  {size}{state}{_dim(notes)}"
    pictures = [f"[{media.type}: {media.alt}]" for media in post.media]
    for line in "\n".join([post.text, *pictures]).split("\n"):
        for part in _wrapped(line, width - 8):
            yield f"    {_dim('│')} {part}".rstrip()


def _notes(post: Post) -> str:
    shortened = f" · shortened: {', '.join(post.shortened)}" if post.shortened else ""
    return f" · {post.part}{shortened}"


def _wrapped(line: str, width: int) -> Sequence[str]:
    """Split the line into pieces of at most `width` cells. A very small width splits nothing."""
    if width < 20 or (line.isascii() and len(line) <= width):  # noqa: PLR2004 - see above
        return [line]
    from wcwidth import wrap

    return wrap(line, width) or [""]


def _bill(posts: Sequence[Post]) -> Iterator[str]:
    """Yield what X would bill for the posts that are not sent yet, and for a month of them."""
    prices = [post_price(post.text) for post in posts]
    pictures = sum(len(post.media) for post in posts)
    total = thread_price((post.text for post in posts), pictures)
    groups = [
        f"{_posts(prices.count(price))} at {_dollars(price)}"
        for price in sorted(set(prices), reverse=True)
    ]
    groups += (
        [f"{pictures} with a picture at {_dollars(PRICES.media_metadata)}"] if pictures else []
    )
    yield f"  X would bill {_dollars(total)}: {', '.join(groups) or 'all is sent'}."
    if not posts:
        return
    yield _dim(
        f"  One a day: about ${month_price(total):.2f} in 30 days. "
        f"Prices since {PRICES.since}, looked up {PRICES.read}."
    )


def _dollars(amount: Decimal) -> str:
    """Return an amount as `$0.20`, or as `$0.015` if it has a third decimal place."""
    text = f"{amount:.3f}"
    return f"${text.removesuffix('0')}"


def finding(level: str, subject: str, message: str, fix: str) -> Iterator[str]:
    """Yield a finding of `bot check`: one line, and the next step in a line below it."""
    colour = {"ok": "green", "warning": "yellow", "error": "red"}[level]
    yield f"{style(f'{level:<8}', fg=colour)} {subject:<10} {message}"
    if fix:
        yield f"{'':<19} {fix}"


def _papers(count: int) -> str:
    return f"{count} paper{'' if count == 1 else 's'}"


def _posts(count: int) -> str:
    return f"{count} post{'' if count == 1 else 's'}"
