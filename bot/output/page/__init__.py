"""The page: threads as readers will see them on each network, as HTML. Pure.

`views` are the values that the templates show, `pieces` finds what each network makes a link of,
`plans` makes views of threads and of what the ledger knows of them, `render` makes one file of it.
The sandbox makes views of its own (bot/demo) and shows them by the same templates.
"""
