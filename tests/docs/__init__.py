"""The documentation is true and complete, and its links work."""
