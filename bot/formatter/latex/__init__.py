"""LaTeX in titles, names and abstracts, written as plain text."""
