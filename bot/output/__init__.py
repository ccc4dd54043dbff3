"""Show plans, progress and findings as lines of text, as JSON and as a page."""
