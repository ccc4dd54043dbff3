"""What X makes of a text: links, mentions, hashtags, and what they cost."""
