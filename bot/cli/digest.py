"""`bot digest`: write a digest of the source as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.common import ProcessContext, echo, read_digest, safe, settings_of
from bot.errors import BotError, SettingsError

if TYPE_CHECKING:
    from bot.model import Digest


@click.command(short_help="Write a digest of the source as Markdown.")
@click.argument("day", required=False)
@click.option("--output", metavar="FOLDER", help="Folder for the file. Without it, print the text.")
@click.pass_obj
def digest(context: ProcessContext, *, day: str | None, output: str | None) -> int:
    """Write a digest of BOT_DIGESTS as Markdown, so that others can read it.

    DAY is a date (2021-06-22) or a slug. Without it, the newest digest is written.

    Reading the file gives the same digest. A file that holds another text is left as it is.
    """
    from bot.digests.write import markdown

    settings = settings_of(context)
    if settings.digests is None:
        raise SettingsError("BOT_DIGESTS is not set", "Set it to the source of the digests.")
    found, _ = read_digest(settings, day, context.folder)
    text = context.redact(markdown(found))
    if output is None:
        click.echo(text.encode(), nl=False)
        return 0
    _save(context.folder / output, found, text.encode())
    return 0


def _save(folder: Path, digest: Digest, data: bytes) -> None:
    """Write the file, unless it is there. Raises SettingsError and BotError."""
    from bot.digests.parse import days_in
    from bot.output.files import write_whole

    if not folder.is_dir():
        raise SettingsError(f"there is no folder {folder}", "Make the folder first.")
    name = digest.slug if days_in(digest.slug) else f"{digest.last_day}---{digest.slug}"
    path = folder / f"{name}.md"
    try:
        known = path.read_bytes() if path.exists() else None
    except OSError as error:
        raise BotError(
            f"cannot read {path} ({error.strerror})", "Choose another folder."
        ) from error
    if known is not None and known != data:
        fix = "Delete the file first if the new text is to replace it."
        raise BotError(f"{safe(str(path))} holds another text, and is left as it is", fix)
    if known is None:
        write_whole(path, data)
    papers = len(digest.papers)
    written = "is there already" if known is not None else "is written"
    echo(f"{path} {written}: {papers} {'paper' if papers == 1 else 'papers'}.")
