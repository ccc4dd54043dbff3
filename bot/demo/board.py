"""The sandbox as one page: what there is to show, and when it has changed."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.demo.standins import StandIn
from bot.demo.switches import Switches
from bot.demo.view import Saying, column
from bot.model import Network
from bot.output.page.views import Live, PageView
from bot.sandbox.server import Sandbox
from bot.sandbox.uploads import Medium


def _silent(network: Network) -> Saying | None:
    del network
    return None


@dataclass(slots=True)
class Board:
    """Stand-ins that are served, their switches, and what a bot says of itself.

    `said` is what a bot says of its work on a network, `offer` what the page's button offers, empty
    for none, and `press` is called where somebody presses it. `changes` counts what `said` and
    `offer` depend on. The page's `token` proves that a form comes from it.
    """

    sandbox: Sandbox
    stand_ins: tuple[StandIn, ...]
    eyebrow: str
    title: str
    lead: str
    said: Callable[[Network], Saying | None] = _silent
    changes: Callable[[], int] = lambda: 0
    offer: Callable[[], str] = lambda: ""
    press: Callable[[], None] = lambda: None
    shows_variables: bool = False
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    switches: Switches = field(init=False)

    def __post_init__(self) -> None:
        self.switches = Switches({each.network: each.creates for each in self.stand_ins})
        self.sandbox.decide(self.switches.choose)

    def variables(self) -> tuple[str, ...]:
        """The settings that lead a bot here, as lines of an `.env`."""
        return tuple(
            f"{name}={value}"
            for each in self.stand_ins
            for name, value in each.environ(self.sandbox.url(each.network)).items()
        )

    def page(self) -> PageView:
        """Everything as it is now."""
        said = {each.network: self.said(each.network) for each in self.stand_ins}
        with self.sandbox.lock:
            records = self.sandbox.requests
            columns = tuple(
                column(
                    each,
                    [record for record in records if record.network == each.network],
                    self.switches,
                    said[each.network],
                )
                for each in self.stand_ins
            )
        variables = self.variables() if self.shows_variables else ()
        return PageView(
            title=self.title,
            eyebrow=self.eyebrow,
            lead=self.lead,
            threads=columns,
            foot="Everything here is on this machine and in memory: when it ends, it is gone.",
            live=Live(self.token, self.offer(), variables),
        )

    def version(self) -> tuple[int, ...]:
        """Numbers that change whenever the page does."""
        with self.sandbox.lock:
            records = self.sandbox.requests
            done = sum(record.stage == "done" for record in records)
            made = sum(each.rules.settle() for each in self.stand_ins)
            return (len(records), done, made, self.switches.changes, self.changes())

    def flip(self, network: str, fault: str, *, on: bool) -> bool:
        """Switch a fault; False where there is none of that name."""
        try:
            with self.sandbox.lock:
                self.switches.flip(Network(network), fault, on=on)
        except (ValueError, KeyError):
            return False
        return True

    def medium(self, network: str, media_id: str) -> Medium | None:
        """A file that was uploaded."""
        with self.sandbox.lock:
            found = (each.upload(media_id) for each in self.stand_ins if each.network == network)
            return next(found, None)
