"""Helpers that several tests use: a scripted server, events, faults, forks."""
