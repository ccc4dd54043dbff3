"""The stand-ins as web pages: what they received as readers see it, and faults to switch on.

`standins` is the table of networks, `switches` the faults, `view` makes views of what is there,
`board` holds these together, `app` answers a browser, `serve` puts that on 127.0.0.1.
"""
