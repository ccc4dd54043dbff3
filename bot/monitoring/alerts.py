"""Send alerts to the operator through Apprise, which runs in a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import SettingsError
from bot.ledger.rows import StoredProblem
from bot.monitoring.alert_once import AlertResult
from bot.monitoring.alert_text import AlertText, alert_text
from bot.monitoring.apprise_process import OUTCOMES
from bot.settings.secret import Secret

_TELLER = Path(__file__).with_name("apprise_process.py")
_SECONDS = 20.0
_SECONDS_TO_CHECK = 60.0
_SCHEME = re.compile(r"[a-z0-9]{1,32}")
# The variables that Apprise gets: how to reach the network, never an account's secrets.
_PASSED = frozenset(
    {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH"}
    | {"PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "VIRTUAL_ENV"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that the Apprise process printed."""

    position: int
    total: int
    scheme: str
    outcome: str
    status: int

    def __str__(self) -> str:
        scheme = f" ({self.scheme})" if self.scheme else ""
        return f"address {self.position} of {self.total}{scheme} of BOT_NOTIFY_URLS"


class Alerts:
    """Sends alerts to the addresses of BOT_NOTIFY_URLS. One thread at a time, except for `stop`.

    `environment` is the process's; Apprise gets only its settings of proxies and certificates.
    `redact` removes secrets from every text. `seconds` is the longest time of one alert. Messages
    name an address only by its position and its scheme.
    """

    def __init__(
        self,
        addresses: Secret,
        environment: Mapping[str, str],
        redact: Callable[[str], str],
        seconds: float = _SECONDS,
    ) -> None:
        self._addresses = addresses
        self._environment = {
            name: value for name, value in environment.items() if name.upper() in _PASSED
        }
        self._redact = redact
        self._seconds = seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def check(self) -> str:
        """Look whether alerts can be sent, and send none.

        Returns why that could not be found out, which is mostly nothing. Raises SettingsError
        where Apprise is not installed, or cannot use an address.
        """
        lines, hitch = self._ask(_NOTHING, "", max(self._seconds, _SECONDS_TO_CHECK))
        for line in lines:
            if line.outcome in _IN_VAIN:
                raise SettingsError(*_IN_VAIN[line.outcome])
        unusable = [str(line) for line in lines if line.outcome == "unusable"]
        if unusable:
            raise SettingsError(f"Apprise cannot use {' and '.join(unusable)}", _HOW_WRITTEN)
        return hitch

    def tell(self, raised: Sequence[StoredProblem], over: Sequence[StoredProblem]) -> AlertResult:
        """Send one alert with all of these problems, if there are any. Never raises.

        The alert counts as delivered as soon as one address accepts it. The reasons name an address
        that did not; it gets the next alert, and not this one again.
        """
        keys = frozenset(one.key for one in (*raised, *over))
        if not keys or self._stopped:
            return AlertResult()
        kind = "warning" if raised else "success"
        lines, hitch = self._ask(alert_text(raised, over, self._redact), kind, self._seconds)
        became = {line.position: line for line in lines}.values()
        reasons = [_reason(line) for line in became if line.outcome != "told"]
        told = len(reasons) < len(became)
        return AlertResult(keys if told else frozenset(), (*reasons, *[hitch] * bool(hitch)))

    def stop(self) -> None:
        """End an alert that is being sent, and send no more, since the program must end."""
        self._stopped = True
        if child := self._child:
            child.kill()

    def _ask(self, said: AlertText, kind: str, seconds: float) -> tuple[list[_Line], str]:
        """Run the Apprise process; return its lines, and why there are none."""
        ask = {
            "addresses": self._addresses.reveal(),
            "title": said.title,
            "text": said.text,
            "kind": kind,
            # for a process whose parent has ended: the parent would end it before that time
            "seconds": seconds + 1,
        }
        try:
            output = self._run(json.dumps(ask).encode(), seconds)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            return [], f"no process could be started to send an alert: {reason}"
        spoken = _lines(output.decode(errors="replace"))
        lines = sorted(spoken, key=lambda line: line.position)
        return lines, "" if lines else f"Apprise does not run, or takes over {seconds:g} s to start"

    def _run(self, ask: bytes, seconds: float) -> bytes:
        # -P: files beside the script have names of modules that Apprise imports
        with subprocess.Popen(
            [sys.executable, "-P", str(_TELLER)],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as child:
            self._child = child
            try:
                if self._stopped:
                    child.kill()
                return child.communicate(ask, seconds)[0]
            except subprocess.TimeoutExpired as error:
                child.kill()
                return error.output or b""
            finally:
                self._child = None


def _lines(output: str) -> Iterator[_Line]:
    """Yield the lines of the process; what a service printed beside them is ignored."""
    for each in output.splitlines():
        try:
            line = json.loads(each)
        except ValueError:
            continue
        match line:
            case [int(position), int(total), str(scheme), str(outcome), int(status)]:
                if outcome in OUTCOMES and (not scheme or _SCHEME.fullmatch(scheme)):
                    yield _Line(position, total, scheme, outcome, status)


def _reason(line: _Line) -> str:
    if line.outcome in _IN_VAIN:
        return _IN_VAIN[line.outcome][0]
    if line.outcome == "begun":
        return f"{line} gave no answer in time"
    return f"{line} answered {line.status}" if line.status else f"{line} did not take the alert"


_NOTHING = AlertText("", "")
_HOW_WRITTEN = "See https://appriseit.com/services/ for how the address of a service is written."
# outcomes that are about all addresses at once: message and fix
_IN_VAIN = {
    "missing": (
        "BOT_NOTIFY_URLS is set, and Apprise, which sends alerts, is not installed",
        "Install it: pip install apprise",
    ),
    "none": ("BOT_NOTIFY_URLS holds no address", _HOW_WRITTEN),
}
