"""Convert LaTeX in titles, names and abstracts to plain text."""
