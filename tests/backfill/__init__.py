"""The backfill of past events: reading files, delivery over several runs, and the command."""
