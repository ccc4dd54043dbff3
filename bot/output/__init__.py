"""For people: what is planned and known, as lines of text."""
