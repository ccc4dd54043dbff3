"""The errors of the program.

    BotError                 every error that has a name here
    ├─ SettingsError         a setting, an option or a template of the operator cannot work
    │  └─ TemplateError      ... a template: its file and line
    ├─ DoesNotFit            a post cannot be made short enough
    ├─ DigestError           a digest could not be read
    │  ├─ NoDigest           the source answers, and does not have the digest
    │  │  └─ Nowhere         ... nor the page, file, folder or repository where it should be
    │  ├─ Malformed          a text is not a digest: its file, line and what was expected
    │  └─ Unreachable        the source does not answer now; a later try may succeed
    ├─ LedgerError           the ledger cannot be used, or cannot do what was asked of it
    │  ├─ Locked             another process holds the ledger; a later try helps
    │  │  └─ Busy            ... holds the lock of one account, since it sends for it
    │  ├─ Replaced           the ledger's file was moved or replaced while it was in use
    │  └─ WrongState         a post is in no state that allows the change
    └─ CannotRead            (bot/posters/poster.py) an account's posts cannot be read

Exceptions of libraries are caught where they arise and chained as the cause of one of these. Only
the command line knows exit statuses.
"""

from __future__ import annotations


class BotError(Exception):
    """An error: `message` says what went wrong and where, `fix` what to do about it."""

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
    """A post is over the network's limit, though everything that may be shortened was shortened."""


class DigestError(BotError):
    """A digest could not be read."""


class NoDigest(DigestError):
    """The source answered, and does not have the digest."""


class Nowhere(NoDigest):
    """The page, file, folder or repository does not exist, or is hidden."""


class Malformed(DigestError):
    """A text is not a digest: its file or URL, the line (from 1), and what was expected there."""

    def __init__(self, where: str, line: int, expected: str, fix: str = "") -> None:
        super().__init__(f"{where}:{line}: {expected}", fix)
        self.where = where
        self.line = line
        self.expected = expected


class Unreachable(DigestError):
    """The source did not answer, or answered with an error; a later try may succeed.

    `wait` is for how many seconds the source asks not to be asked again, 0 if it does not say.
    """

    def __init__(self, message: str, fix: str = "", *, wait: int = 0) -> None:
        super().__init__(message, fix)
        self.wait = wait


class LedgerError(BotError):
    """The ledger cannot be used, or cannot do what was asked; read it again to know its state."""


class Locked(LedgerError):
    """Another process holds the ledger; a later try helps."""


class Busy(Locked):
    """Another process, or another thread of this one, sends for the account; `sender` names it."""

    def __init__(self, account: str, sender: str) -> None:
        super().__init__(
            f"{sender} sends for {account} at this moment",
            "Wait until that process is done, or stop it.",
        )
        self.sender = sender


class Replaced(LedgerError):
    """The ledger's file was moved or replaced while it was in use; it must be opened again."""


class WrongState(LedgerError):
    """A post is in no state that allows the change, since someone else changed it meanwhile."""
