"""What several tests need: a scripted server, events, faults, forks. No tests, no fixtures."""
