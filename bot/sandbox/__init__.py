"""The networks on your own machine: their rules as pure state machines, and a server on loopback.

`x`, `mastodon` and `bluesky` hold one network's rules each, told apart by a frozen Behaviour;
`faults` says what can go wrong as values; `server` puts rules on 127.0.0.1 and breaks what it is
told to break. The real SDKs talk to it. Nothing here leaves the machine.

    rules = XRules(clock, XBehaviour(timeline_lag=timedelta(seconds=30)))
    with Sandbox({"twitter": rules}) as sandbox:
        sandbox.script(faults.CLOSED_AFTER, network="twitter", at=3)
        ...  # a client at sandbox.url("twitter")
    rules.live()  # what is there now, and sandbox.requests what was asked

Another network is another class with the methods of `wire.NetworkRules`.
"""
