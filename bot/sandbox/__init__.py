"""Simulate the networks: their rules as pure state machines, and a server for them on loopback.

`x`, `mastodon` and `bluesky` hold the rules of one network each. A frozen Behaviour says how a
server or version differs. `faults` holds the faults as values. `server` serves the rules on
127.0.0.1 and applies the faults. The real SDKs can talk to it. Nothing leaves the machine.

    rules = XRules(clock, XBehaviour(timeline_lag=timedelta(seconds=30)))
    with Sandbox({"twitter": rules}) as sandbox:
        sandbox.script(faults.CLOSED_AFTER, network="twitter", at=3)
        ...  # a client at sandbox.url("twitter")
    rules.live()  # the posts that exist now; sandbox.requests holds the requests

To add a network, write a subclass of `service.NetworkService`.
"""
