"""X as it answers its API: the rules, pure, behind the server that every stand-in shares."""
