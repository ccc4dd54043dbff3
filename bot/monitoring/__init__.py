"""Being watched: the log, what is known of the worker, its pages on PORT, its heartbeat."""
