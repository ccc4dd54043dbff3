"""Serve a page of the simulated networks: their posts as readers see them, and faults to switch on.

`standins` is the table of networks, `switches` the faults, `view` turns posts and requests into
views, `board` makes the page, `app` answers a browser, `serve` runs `app` on 127.0.0.1, and `demo`
is what `bot demo` and `bot sandbox` run.
"""
