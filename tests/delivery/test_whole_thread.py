from __future__ import annotations

from pathlib import Path

from bot.model import Network
from bot.sandbox.faults import server_error
from tests.helpers.fake_world import check_once, digest, stage


def test_a_thread_goes_out_on_every_network_once_in_order(tmp_path: Path) -> None:
    with stage(tmp_path) as on:
        source, settings = digest(), on.settings(tuple(Network))
        served = on.post(source, settings)
        assert {one.end for one in served.values()} == {"done"}, served
        for network, thread in on.planned(source, settings).items():
            check_once(on.live(network), thread)
        again = on.post(source, settings)
        assert {one.end for one in again.values()} == {"done"}
        for network, thread in on.planned(source, settings).items():
            check_once(on.live(network), thread)
            assert on.sandbox.connections(network) == 1


def test_the_time_gone_since_a_try_is_kept_for_the_next_run(tmp_path: Path) -> None:
    """Neither run alone has the patience to see a post absent for two minutes; both together do."""
    with stage(tmp_path) as on:
        source = digest()
        settings = on.settings([Network.TWITTER], BOT_SETTLE="120s", BOT_PATIENCE="70s")
        on.sandbox.script(server_error(504), network="twitter", at=3)
        first = on.post(source, settings)[Network.TWITTER]
        assert first.end == "later"
        assert len(on.live(Network.TWITTER)) == 1
        assert on.post(source, settings)[Network.TWITTER].end == "done"
        check_once(on.live(Network.TWITTER), on.planned(source, settings)[Network.TWITTER])
