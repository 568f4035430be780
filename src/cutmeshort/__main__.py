"""`python -m cutmeshort`: the command `cutmeshort`."""

import sys

from .cli import main

if __name__ == "__main__":  # pragma: no branch - the tests run the module
    sys.exit(main())
