"""`python -m bridge` and the command `muster`."""

from __future__ import annotations

import sys

from bridge.cli import execute


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(execute(sys.argv[1:]))


if __name__ == "__main__":
    main()
