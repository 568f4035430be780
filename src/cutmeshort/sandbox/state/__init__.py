"""What the sandbox knows and decides, without HTTP."""
