"""What the page, the endpoints and `Sandbox` show of the state, as JSON."""
