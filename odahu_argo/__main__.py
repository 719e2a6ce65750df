"""The program: `odahu-argo`, and `python -m odahu_argo`."""

from __future__ import annotations

import gc

_YOUNG_OBJECTS = 200_000


def main() -> None:
    """Run the command line and end the process with the exit code of docs/reference/cli.md."""
    # A start makes objects by the ten thousand and no rubbish: Python need not look through them every 700, nor at the end.
    gc.set_threshold(_YOUNG_OBJECTS)
    try:
        from odahu_argo.cli.app import main as command_line

        command_line()
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
