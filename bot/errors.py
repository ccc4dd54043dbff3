"""The ways to fail, and what each one asks of the person who reads it.

    BotError                 anything we can name
    ├─ SettingsError         a setting, an option or a template of the operator's cannot work
    │  └─ TemplateError      ... a template: its file and line
    ├─ DoesNotFit            a post that cannot be made short enough
    ├─ DigestError           a digest could not be had
    │  ├─ NoDigest           the source answers, and what was asked for is not there
    │  │  └─ Nowhere         ... nor is the place where digests were to be
    │  ├─ Malformed          it is there and is not a digest: its file, line and what was expected
    │  └─ Unreachable        the source does not answer now; trying again later may help
    ├─ LedgerError           the ledger cannot be used, or cannot do what was asked of it
    │  ├─ Locked             another process holds it; trying again later helps
    │  │  └─ Busy            ... the lock of one account, for which it sends
    │  ├─ Replaced           its file was moved or replaced while it was in use
    │  └─ WrongState         a post is in no state that allows the change
    └─ CannotRead            (bot/posters/poster.py) an account's posts cannot be read

Foreign exceptions end where they arise: they are chained as the cause of one of these. The core
knows no exit statuses; the command line maps them.
"""

from __future__ import annotations


class BotError(Exception):
    """Something that went wrong: `message` says what and where, `fix` what to do about it."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}\n  {self.fix}" if self.fix else self.message


class SettingsError(BotError):
    """A setting cannot work. The message names the variable, its value and what is allowed."""


class TemplateError(SettingsError):
    """A template cannot be used. The message begins with its file and line."""


class DoesNotFit(BotError):
    """A post is over the network's limit though all that may be shortened was shortened."""


class DigestError(BotError):
    """A digest could not be had."""


class NoDigest(DigestError):
    """The source answered, and holds no such digest."""


class Nowhere(NoDigest):
    """There is no such page, file, folder or repository: it is mistyped, was moved or is hidden."""


class Malformed(DigestError):
    """Text that is no digest: where it stands, the line (from 1), and what was expected there."""

    def __init__(self, where: str, line: int, expected: str, fix: str = "") -> None:
        super().__init__(f"{where}:{line}: {expected}", fix)
        self.where = where
        self.line = line
        self.expected = expected


class Unreachable(DigestError):
    """The source did not answer, or with an error of its own; a later try may succeed."""


class LedgerError(BotError):
    """The ledger cannot be used, or cannot do what was asked: read it again to know its state."""


class Locked(LedgerError):
    """Another process holds the ledger; trying again later helps."""


class Busy(Locked):
    """Another process, or another thread of this one, sends for the account: `sender` says who."""

    def __init__(self, account: str, sender: str) -> None:
        super().__init__(
            f"{sender} sends for {account} at this moment",
            "Wait until that process is done, or stop it.",
        )
        self.sender = sender


class Replaced(LedgerError):
    """The ledger's file was moved or replaced while it was in use: it must be opened anew."""


class WrongState(LedgerError):
    """A post is in no state that allows the change: somebody else changed it meanwhile."""
