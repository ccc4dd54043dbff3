"""Records in SQLite what was planned, tried and sent."""
