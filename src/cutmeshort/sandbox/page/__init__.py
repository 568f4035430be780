"""The page of the sandbox: one HTML file, one style sheet and one module of JavaScript."""
