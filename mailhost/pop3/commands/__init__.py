"""The commands of RFC 1939 and what belongs to logging in, one file per state of the session."""
