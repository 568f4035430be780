"""Integrations with other packages. Each module imports the package that it is named after."""
