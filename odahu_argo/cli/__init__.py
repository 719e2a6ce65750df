"""The command line: typer here and nowhere else."""
