"""Draw the picture of a digest: its papers as a ranked chart, with an alternative text.

Call `draw`. `chart` lays the picture out, with `lines` for line breaks and `faces` for the fonts;
`svg` writes the document for resvg; `words` has the texts of the picture and the alternative text.
"""
