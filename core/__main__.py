"""`python -m core …`: the command line. Parse, call, print; the work is done elsewhere.

Exit codes: 0 done · 1 some trial failed · 2 the user can fix it · 3 interrupted, resumable.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from core.cli.parser import build_parser
from core.errors import Interrupted, UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. A bug keeps its traceback."""
    options = build_parser().parse_args(arguments)
    try:
        code = int(options.command(options))
        sys.stdout.flush()  # here, where a closed pipe is understood, not at exit
        return code
    except UserError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return 2
    except (Interrupted, KeyboardInterrupt):
        print("interrupted: what was measured is kept; the same command goes on from there", file=sys.stderr)
        return 3
    except BrokenPipeError:
        # The reader of our output went away, as `head` does; what Python still holds for it goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
