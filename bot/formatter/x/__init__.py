"""Find what X links in a text (links, mentions, hashtags), and what X bills for it."""
