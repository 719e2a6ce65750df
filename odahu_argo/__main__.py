"""Entry point of `odahu-argo` and `python -m odahu_argo`."""

from __future__ import annotations

import gc

_GC_THRESHOLD = 200_000


def main() -> None:
    """Run the command line and exit with the codes of docs/reference/cli.md."""
    # Startup creates many long-lived objects: collect garbage rarely, and not at exit.
    gc.set_threshold(_GC_THRESHOLD)
    try:
        from odahu_argo.cli.app import main as command_line

        command_line()
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
