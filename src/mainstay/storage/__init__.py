"""Keeps what we know: inbox, event log, state, cross-references, outbox. One writer for each file."""
