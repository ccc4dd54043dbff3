"""The picture of a digest: its papers as a ranked chart, and what it shows in words.

`draw` is the way in. `chart` lays it out, with `lines` for titles and `faces` for what the fonts
hold; `svg` writes it down for resvg; `words` has the text over the chart and the alternative to it.
"""
