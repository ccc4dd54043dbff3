from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot import __version__
from bot.cli import ProcessContext, run
from tests.helpers.paths import ROOT, SAMPLES


@pytest.fixture
def bot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bot:
    return Bot(tmp_path, capsys)


class Bot:
    """Runs the program in a folder of its own, with nothing of the caller's environment."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def __call__(self, *arguments: str, **environ: str) -> tuple[int, str, str]:
        status = run(arguments, ProcessContext(environ, self.folder))
        out, err = self._capsys.readouterr()
        return status, out, err

    def json(self, *arguments: str, **environ: str) -> dict[str, Any]:
        status, out, err = self("post", "--dry-run", "--json", *arguments, **environ)
        assert (status, err) == (0, "")
        return json.loads(out)  # type: ignore[no-any-return]


def subprocess_bot(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], **environ},
        capture_output=True,
        encoding=environ.get("PYTHONIOENCODING", "utf-8"),
        check=False,
        timeout=60,
    )


DIGEST = (SAMPLES / "2021-02-11---Hot-Papers.md").read_text(encoding="utf-8")


def test_a_stranger_sees_every_post_of_every_network(bot: Bot) -> None:
    status, out, err = bot("post", "--dry-run")
    assert (status, err) == (0, "")
    assert out.startswith("Hot Papers 2021-08-06 · 11 papers · ")
    assert "Dry run: nothing is sent and nothing is saved." in out
    assert [line for line in out.split("\n") if line.endswith(" · 11 posts")] == [
        "twitter · 11 posts",
        "mastodon · 11 posts",
        "bluesky · 11 posts",
    ]
    assert "    │ 9. SLAMP: Stochastic Latent Appearance and Motion Prediction\n" in out
    assert "Fatma Güney" in out
    assert "\n  X would bill $2.015: 10 posts at $0.20, 1 post at $0.015.\n" in out
    assert "\n  One a day: about $60.45 in 30 days. Prices since 2026-04-20, " in out
    assert list(bot.folder.iterdir()) == []


def test_json_has_the_shape_of_the_contract(bot: Bot) -> None:
    plan = bot.json("2021-06-22")
    assert plan["digest"] == {
        "slug": "hot-papers-2021-06-22",
        "date": "2021-06-22",
        "title": "Hot Papers 2021-06-22",
        "papers": 22,
        "source": str(SAMPLES / "2021-06-22---Hot-Papers.md"),
    }
    assert [(t["network"], t["account"], t["cost_usd"]) for t in plan["threads"]] == [
        ("twitter", "twitter", 2.015),
        ("mastodon", "mastodon", 0.0),
        ("bluesky", "bluesky", 0.0),
    ]
    posts = plan["threads"][0]["posts"]
    assert isinstance(posts, list)
    assert posts[0] == {
        "position": 0,
        "number": 1,
        "text": posts[0]["text"],
        "length": len(posts[0]["text"]) + posts[0]["text"].count("•"),
        "limit": 280,
        "state": "planned",
        "id": None,
        "url": None,
        "media": [],
        "card": None,
    }


@pytest.mark.parametrize(
    ("arguments", "threads"),
    [
        (["--network", "mastodon"], [("mastodon", 11)]),
        (["--network", "MASTODON", "--network", "bluesky"], [("mastodon", 11), ("bluesky", 11)]),
        (["--account", "twitter", "--top", "1"], [("twitter", 2)]),
        (["--network", "twitter", "--top", "0"], [("twitter", 12)]),
        (["2021-02-11", "--network", "twitter"], [("twitter", 5)]),
        (["hot-papers-2021-02-11", "--network", "twitter"], [("twitter", 5)]),
        ([str(SAMPLES / "2021-02-11---Hot-Papers.md"), "--network", "twitter"], [("twitter", 5)]),
    ],
)
def test_what_is_shown_can_be_chosen(
    bot: Bot, arguments: list[str], threads: list[tuple[str, int]]
) -> None:
    plan = bot.json(*arguments)
    found = [(t["network"], len(t["posts"])) for t in plan["threads"]]
    assert found == threads


def test_accounts_of_the_file_are_shown_with_their_taste(bot: Bot) -> None:
    (bot.folder / "bot.toml").write_text(
        '[[accounts]]\nname = "vision"\nnetwork = "mastodon"\nbase_url = "https://example.social"\n'
        'access_token = "VISION_TOKEN"\ncategories = ["cs.CV"]\ntop = 2\n'
    )
    plan = bot.json(VISION_TOKEN="a-secret-token")
    (thread,) = plan["threads"]
    assert (thread["account"], len(thread["posts"])) == ("vision", 3)
    status, out, _ = bot("post", "--dry-run", "2021-06-22", VISION_TOKEN="a-secret-token")
    assert status == 0
    assert "vision · mastodon · 3 posts" in out
    assert "a-secret-token" not in out


def test_an_account_without_papers_is_said(bot: Bot) -> None:
    (bot.folder / "bot.toml").write_text(
        '[[accounts]]\nname = "algebra"\nnetwork = "twitter"\nconsumer_key = "A"\n'
        'consumer_secret = "B"\naccess_token = "C"\naccess_token_secret = "D"\n'
        'categories = ["math.AG"]\n'
    )
    status, out, _ = bot("post", "--dry-run")
    assert status == 0
    assert "algebra · twitter · 0 posts\n  No paper of this digest is for this account." in out


def test_verbose_names_the_parts_and_what_gave_way(bot: Bot) -> None:
    _, out, _ = bot("post", "--dry-run", "--verbose", "--network", "twitter")
    assert re.search(r"\n   1  [0-9]+/280 · opening\n", out)
    assert " · 2108.02214 · shortened: authors, areas\n" in out


def test_a_page_address_from_the_settings_reaches_the_closing(bot: Bot) -> None:
    page = "https://example.org/{slug}"
    plan = bot.json("--network", "twitter", BOT_DIGEST_URL=page)
    assert plan["threads"][0]["posts"][-1]["text"].endswith(
        "1 more paper of Hot Papers 2021-08-06:\nhttps://example.org/hot-papers-2021-08-06"
    )
    assert plan["threads"][0]["cost_usd"] == 2.215


@pytest.mark.parametrize(
    ("arguments", "environ", "status", "message"),
    [
        (["post"], {}, 2, "Error: no account yet"),
        (["post", "--dry-run", "--top", "-1"], {}, 2, "-1 is not in the range x>=0"),
        (["post", "--dry-run", "--network", "myspace"], {}, 2, "'myspace' is not one of"),
        (["post", "--dry-run", "--account", "nobody"], {}, 2, "no account has the name"),
        (["post", "--dry-run", "--nonsense"], {}, 2, "No such option"),
        (["nonsense"], {}, 2, "No such command 'nonsense'"),
        (["post", "--dry-run"], {"BOT_TOP": "ten"}, 2, "BOT_TOP"),
        (["post", "--dry-run"], {"BOT_DIGESTS": "/nowhere"}, 2, "/nowhere"),
        (["post", "--dry-run"], {"HTTPS_PROXY": "http://me:planted@:1"}, 2, '"http://***@:1"'),
        (["post", "--dry-run"], {"REQUESTS_CA_BUNDLE": "/nowhere"}, 2, "REQUESTS_CA_BUNDLE"),
        (["post", "--dry-run"], {"MASTODON_ACCESS_TOKEN": "'planted'"}, 2, "is in quotes"),
        (["post", "--dry-run", "2021-06-31"], {}, 2, "2021-06-31 is not a day of the calendar"),
        (["post", "--dry-run", "1999-01-01"], {}, 1, "1999-01-01"),
        (["post", "--dry-run", "no-such-slug"], {}, 1, "no-such-slug"),
        (["post", "--dry-run", "no-such-file.md"], {}, 1, "no-such-file.md"),
        (["post", "--dry-run", "ftp://x.org/a.md"], {}, 2, "ftp://"),
        (["post", "--dry-run", "http://127.0.0.1:9/a.md"], {}, 75, "127.0.0.1:9"),
    ],
)
def test_errors_say_what_is_wrong_and_have_their_status(
    bot: Bot, arguments: list[str], environ: dict[str, str], status: int, message: str
) -> None:
    found, out, err = bot(*arguments, **environ)
    assert (found, out) == (status, "")
    assert message in err
    assert "Traceback" not in err
    assert "planted" not in err


@pytest.mark.parametrize(
    ("old", "new", "status", "message"),
    [
        ("draft: false", "draft: true", 0, "is a draft"),
        ("slug: ", "slug: x # ", 0, "skipped"),
        ("date: ", "dated: ", 1, ":1: expected `date:` with a value in the front matter"),
    ],
)
def test_a_digest_that_is_not_to_go_out_is_said(
    bot: Bot, old: str, new: str, status: int, message: str
) -> None:
    path = bot.folder / "2021-02-11.md"
    path.write_text(DIGEST.replace(old, new), encoding="utf-8")
    if message == "skipped":
        message = "x is in BOT_SKIP"
    for wanted in ([], ["2021-02-11"], [str(path)]):
        found, out, err = bot(
            "post", "--dry-run", *wanted, BOT_DIGESTS=str(bot.folder), BOT_SKIP="x"
        )
        assert (found, out) == (status, "")
        assert message in err


def test_an_empty_digest_makes_no_thread_and_says_so(bot: Bot) -> None:
    path = bot.folder / "2021-02-11.md"
    path.write_text(DIGEST.split("# 1.")[0], encoding="utf-8")
    status, out, err = bot("post", "--dry-run", "--json", BOT_DIGESTS=str(path))
    assert status == 0
    assert json.loads(out)["threads"] == []
    assert json.loads(out)["digest"]["papers"] == 0
    assert err == f"{path} has no papers, so there is nothing to post.\n"


def test_a_malformed_paper_is_left_out_with_a_warning_and_check_names_it(bot: Bot) -> None:
    path = bot.folder / "2021-02-11.md"
    path.write_text(DIGEST.replace("- retweets:", "- retweets: many,", 1), encoding="utf-8")
    status, out, err = bot("post", "--dry-run", BOT_DIGESTS=str(path))
    assert status == 0
    assert "3 papers" in out
    assert err.startswith(f"Warning: {path}:22: expected a line like `- retweets")
    status, out, _ = bot("check", BOT_DIGESTS=str(path))
    assert status == 0
    assert f"warning  source     {path}:22: expected a line like" in out


def test_check_finds_a_stranger_ready_for_a_dry_run(bot: Bot) -> None:
    status, out, err = bot("check", "--offline")
    assert (status, err) == (0, "")
    assert out.startswith("ok       settings   read from the environment")
    assert "warning  accounts   no account yet" in out
    assert "ok       bluesky    templates render (the package's own)\n" in out
    assert "warning  source     BOT_DIGESTS is not set\n" in out


def test_check_tells_accounts_that_are_set_and_half_set(bot: Bot) -> None:
    environ = {
        "MASTODON_API_BASE_URL": "https://example.social",
        "MASTODON_ACCESS_TOKEN": "planted-secret",
        "TWITTER_CONSUMER_KEY": "planted-secret",
        "BOT_DIGESTS": str(SAMPLES),
        "BOT_TPO": "3",
    }
    status, out, _ = bot("check", "--offline", **environ)
    assert status == 0
    assert "ok       mastodon   on mastodon, all secrets are set" in out
    assert "warning  twitter    not used, because these are not set: TWITTER_CONSUMER_SECRET" in out
    assert 'warning  settings   "BOT_TPO" is not a setting; did you mean' in out
    assert "ok       source     reached, 11 papers of 2021-08-06: Hot Papers 2021-08-06" in out
    assert "planted-secret" not in out


def test_check_names_every_wrong_setting_and_broken_template(bot: Bot) -> None:
    status, out, _ = bot("check", "--json", BOT_TOP="ten", BOT_MAX_AGE="soon")
    assert status == 2
    findings = json.loads(out)
    assert [f["level"] for f in findings] == ["error", "error"]
    template = bot.folder / "t" / "default" / "entry.txt.j2"
    template.parent.mkdir(parents=True)
    template.write_text("{{ paper.rank }}\n{{ papre }}")
    status, out, _ = bot("check", BOT_TEMPLATES="t")
    assert status == 2
    assert f'error    twitter    {template}:2: there is no variable "papre"' in out


def test_check_ends_with_2_where_the_ledger_cannot_be_made(bot: Bot) -> None:
    (bot.folder / "taken").write_text("a file where the ledger's folder was to be")
    status, out, _ = bot("check", "--offline", BOT_DATABASE="taken/bot.db")
    assert status == 2
    assert f"error    ledger     cannot write the ledger {bot.folder / 'taken/bot.db'} (" in out
    assert "Set BOT_DATABASE to a file in a folder that you can write to." in out


def test_check_warns_of_a_template_that_nothing_reads(bot: Bot) -> None:
    folder = bot.folder / "t" / "default"
    folder.mkdir(parents=True)
    (folder / "openning.txt.j2").write_text("{{ digest.title }}")
    (folder / "entry.txt.j2").write_text(
        "{% include 'default/name.txt.j2' %} {{ paper.reference }}"
    )
    (folder / "name.txt.j2").write_text("{{ paper.title }}")
    status, out, _ = bot("check", "--offline", BOT_TEMPLATES="t")
    assert status == 0
    wrong = f"warning  mastodon   {folder / 'openning.txt.j2'} is not used, since no template has"
    assert wrong in out
    assert (
        "default/NAME.txt.j2 or NETWORK/NAME.txt.j2. NAME is one of opening, entry, closing, single"
        in out
    )
    assert "name.txt.j2 is not used" not in out
    (folder / "openning.txt.j2").rename(folder / "opening.txt.j2")
    status, out, _ = bot("check", "--offline", BOT_TEMPLATES="t")
    assert (status, "is not used" in out) == (0, False)


def test_check_names_what_requests_could_not_use(bot: Bot) -> None:
    wrong = {"https_proxy": "http://me:planted@:1", "CURL_CA_BUNDLE": "/nowhere.pem"}
    status, out, _ = bot("check", "--offline", **wrong)
    assert status == 2
    assert (
        "error    settings   CURL_CA_BUNDLE must be a file of certificates, "
        'but "/nowhere.pem" is missing' in out
    )
    assert (
        'error    settings   https_proxy must be a proxy such as http://host:3128, not "http://'
        in out
    )
    assert "planted" not in out


def test_check_refuses_x_accounts_that_would_publish_the_same(bot: Bot) -> None:
    one = 'network = "twitter"\nconsumer_key = "A"\nconsumer_secret = "B"\n'
    one += 'access_token_secret = "C"\n'
    (bot.folder / "bot.toml").write_text(
        f'[[accounts]]\nname = "a"\naccess_token = "D"\n{one}'
        f'[[accounts]]\nname = "b"\naccess_token = "E"\n{one}'
    )
    status, out, _ = bot("check", "--offline", A="k", B="k", C="k", D="one", E="two")
    assert status == 2
    assert "error    accounts   a and b would publish the same papers" in out


def test_check_warns_of_a_ledger_that_a_deploy_wipes(bot: Bot) -> None:
    status, out, _ = bot("check", "--offline", DYNO="web.1")
    assert status == 0
    assert (
        f"warning  ledger     {bot.folder / 'state/bot.db'} is on a disk that Heroku wipes" in out
    )
    assert "Put BOT_DATABASE on a volume" in out


def test_check_offline_leaves_a_far_source_alone_and_else_says_what_it_answered(bot: Bot) -> None:
    address = "http://127.0.0.1:9/a.md"
    status, out, _ = bot("check", "--offline", BOT_DIGESTS=address)
    assert (status, f"ok       source     {address} (not asked: --offline)" in out) == (0, True)
    status, out, _ = bot("check", "--offline", BOT_DIGESTS=f"{address}?token=planted")
    assert (status, f"{address} (not asked" in out, "planted" in out) == (0, True, False)
    status, out, _ = bot("check", BOT_DIGESTS=address)
    assert (status, "error    source     " in out) == (75, True)


def test_a_title_commands_no_terminal_and_turns_no_line_round(bot: Bot) -> None:
    text = (SAMPLES / "2021-06-22---Hot-Papers.md").read_text(encoding="utf-8")
    title = "title: Hot\x1b[2J Papers \u202e2021-06-22"
    (bot.folder / "2021-06-22.md").write_text(re.sub("(?m)^title: .*$", title, text), "utf-8")
    for arguments in (("post", "--dry-run", "./2021-06-22.md"), ("check", "--offline")):
        _, out, err = bot(*arguments, BOT_DIGESTS="2021-06-22.md")
        assert "Hot[2J Papers 2021-06-22" in out
        assert not {"\x1b", "\u202e"} & set(out + err)


def test_help_version_and_completion() -> None:
    for arguments in (["--help"], ["post", "-h"], ["check", "--help"]):
        done = subprocess_bot(*arguments, cwd=ROOT)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Usage: bot")
    assert subprocess_bot("--version", cwd=ROOT).stdout == f"bot, version {__version__}\n"
    done = subprocess_bot(cwd=ROOT, _BOT_COMPLETE="bash_source")
    assert "_BOT_COMPLETE=bash_complete" in done.stdout
    done = subprocess_bot(
        cwd=ROOT, _BOT_COMPLETE="bash_complete", COMP_WORDS="bot post --net", COMP_CWORD="2"
    )
    assert done.stdout == "plain,--network\n"


def test_a_terminal_that_lacks_a_character_gets_an_escape(tmp_path: Path) -> None:
    done = subprocess_bot("post", "--dry-run", cwd=tmp_path, PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u2502 9. SLAMP" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_under_the_output_is_said(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bot", "post", "--dry-run"],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "Error: cannot write the output (No space left on device)\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["post --dry-run", "post --dry-run --json", "check --offline", "--help"]
)
def test_a_process_without_an_output_ends_well(tmp_path: Path, command: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m bot {command} >&-', sys.executable],  # noqa: S607 - any sh
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "post", "--dry-run", "--top", "0"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
