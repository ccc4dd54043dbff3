"""Show threads as readers will see them on each network, as an HTML page. Pure, but for `files`.

`views` holds the values that the templates show, `pieces` finds the links that each network shows,
`plans` and `posts` turn threads and their rows in the ledger into views, `render` makes one HTML
file of them. bot/demo makes its own views and shows them with the same templates.
"""
