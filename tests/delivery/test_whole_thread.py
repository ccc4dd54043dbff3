from __future__ import annotations

from pathlib import Path

from bot.model import Network
from bot.sandbox.faults import server_error
from tests.helpers.fake_world import check_once, digest, fake_world


def test_a_thread_goes_out_on_every_network_once_in_order(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        source, settings = digest(), world.settings(tuple(Network))
        served = world.post(source, settings)
        assert {one.end for one in served.values()} == {"done"}, served
        for network, thread in world.planned(source, settings).items():
            check_once(world.live(network), thread)
        again = world.post(source, settings)
        assert {one.end for one in again.values()} == {"done"}
        for network, thread in world.planned(source, settings).items():
            check_once(world.live(network), thread)
            assert world.sandbox.connections(network) == 1


def test_the_time_gone_since_a_try_is_kept_for_the_next_run(tmp_path: Path) -> None:
    """Neither run alone has the patience to see a post absent for two minutes; both together do."""
    with fake_world(tmp_path) as world:
        source = digest()
        settings = world.settings([Network.TWITTER], BOT_SETTLE="120s", BOT_PATIENCE="70s")
        world.sandbox.script(server_error(504), network="twitter", at=4)
        first = world.post(source, settings)[Network.TWITTER]
        assert first.end == "later"
        assert len(world.live(Network.TWITTER)) == 1
        assert world.post(source, settings)[Network.TWITTER].end == "done"
        check_once(world.live(Network.TWITTER), world.planned(source, settings)[Network.TWITTER])
