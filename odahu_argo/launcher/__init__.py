"""Program that runs a training under the user's Python, packed into the single file `launcher.pyz`.

The step `train` decides everything beforehand and writes it to a JSON file (`odahu_argo.steps.launch`). The launcher runs
in any image or environment with Python 3.6 to 3.14 and MLflow 1 to 3. Its modules therefore use only the standard library,
and of MLflow the public client. Syntax and library are those of Python 3.6: no dataclasses,
no `X | None`, no walrus operator.
"""
