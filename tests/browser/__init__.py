"""The sandbox's page and its demo shop, in a browser."""
