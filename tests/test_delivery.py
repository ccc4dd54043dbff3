from __future__ import annotations

from pathlib import Path

from stage import check_once, digest, stage

from bot.model import Network

DELIVERED = (Network.TWITTER, Network.MASTODON)


def test_a_thread_goes_out_on_both_networks_once_in_order(tmp_path: Path) -> None:
    with stage(tmp_path) as on:
        source, settings = digest(), on.settings()
        served = on.post(source, settings)
        assert {one.end for one in served.values()} == {"done"}, served
        for network, thread in on.planned(source, settings).items():
            check_once(on.live(network), thread)
        again = on.post(source, settings)
        assert {one.end for one in again.values()} == {"done"}
        for network, thread in on.planned(source, settings).items():
            check_once(on.live(network), thread)
            assert on.sandbox.connections(network) == 1
