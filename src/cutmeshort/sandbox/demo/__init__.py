"""The demo shop: a page that follows a short link, signs up and pays with real calls of the SDK."""
