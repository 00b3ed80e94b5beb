"""What happened, as values: made in the sessions, so that TLS hides nothing; read by the log, the wire log and the trace."""
