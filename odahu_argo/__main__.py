"""`python -m odahu_argo` is the command line."""

from odahu_argo.cli.app import main

main()
