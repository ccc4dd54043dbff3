"""Make the page of the sandbox, and tell when it changed."""

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


@dataclass(slots=True)
class Board:
    """The networks that are served, their switches, and what the demo's bot says.

    `saying` returns the bot's last step on a network in words. `button` returns the label of the
    page's button, empty for no button, and `press` is called when a person presses it. `changes`
    grows whenever `saying` or `button` changes. `token` proves that a form comes from the page.
    """

    sandbox: Sandbox
    stand_ins: tuple[StandIn, ...]
    eyebrow: str
    title: str
    lead: str
    saying: Callable[[Network], Saying | None] = lambda _: None
    changes: Callable[[], int] = lambda: 0
    button: Callable[[], str] = lambda: ""
    press: Callable[[], None] = lambda: None
    shows_variables: bool = False
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    switches: Switches = field(init=False)

    def __post_init__(self) -> None:
        self.switches = Switches({each.network: each.creates for each in self.stand_ins})
        self.sandbox.decide(self.switches.choose)

    def variables(self) -> tuple[str, ...]:
        """Return the settings that make a bot post here, as lines of an `.env`."""
        return tuple(
            f"{name}={value}"
            for each in self.stand_ins
            for name, value in each.environ(self.sandbox.url(each.network)).items()
        )

    def page(self) -> PageView:
        """Return the page as it is now."""
        columns = []
        for each in self.stand_ins:
            saying = self.saying(each.network)
            with self.sandbox.lock:
                requests = self.sandbox.requests
                own = [record for record in requests if record.network == each.network]
                columns.append(column(each, own, self.switches, saying))
        variables = self.variables() if self.shows_variables else ()
        return PageView(
            title=self.title,
            eyebrow=self.eyebrow,
            lead=self.lead,
            threads=tuple(columns),
            foot="Everything here is in the memory of this machine, and is deleted at the end.",
            live=Live(self.token, self.button(), variables),
        )

    def version(self) -> tuple[int, ...]:
        """Return numbers that change whenever the page changes."""
        with self.sandbox.lock:
            records = self.sandbox.requests
            done = sum(record.stage == "done" for record in records)
            posts = sum(each.rules.settle() for each in self.stand_ins)
            return (len(records), done, posts, self.switches.changes, self.changes())

    def flip(self, network: str, fault: str, *, on: bool) -> bool:
        """Switch a fault on or off. Return False if no fault has this name."""
        try:
            with self.sandbox.lock:
                self.switches.flip(Network(network), fault, on=on)
        except (ValueError, KeyError):
            return False
        return True

    def medium(self, network: str, media_id: str) -> Medium | None:
        """Return an uploaded file, or None."""
        with self.sandbox.lock:
            found = (each.upload(media_id) for each in self.stand_ins if each.network == network)
            return next(found, None)
