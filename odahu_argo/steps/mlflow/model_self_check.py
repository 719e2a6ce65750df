"""Self check of a packaged model, run by the training's Python: `model_self_check.py DIRECTORY ENTRYPOINT RESULT`.

The checks are those of `odahuflowctl gppi test`: import the entry point, call `init` and `info`, and `predict_on_matrix` with
the input sample if the model has one. In addition, samples must be tables. The JSON file RESULT lists the samples and the
functions that succeeded, and the first failure: the sample or function, and the last line of the traceback or the type of
the sample.

The program needs Python 3.6 or newer and, like the entry point, the model's pandas. It imports nothing of odahu-argo.
"""

import importlib
import json
import os
import sys
import traceback
from typing import Any, Dict

SAMPLES = ("head_input.pkl", "head_output.pkl")


def main(directory: str, entrypoint: str, result_file: str) -> int:
    """Check the model, write the result, and return the exit code."""
    result: Dict[str, Any] = {"samples": [], "called": [], "failed": "", "error": "", "type": ""}
    os.environ["MODEL_LOCATION"] = directory
    sys.path[0] = directory
    current = ""
    try:
        tables = {}
        for current in filter(lambda name: os.path.isfile(os.path.join(directory, name)), SAMPLES):
            tables[current] = _read_table(os.path.join(directory, current))
            result["samples"].append(current)
        current = "import"
        module = importlib.import_module(entrypoint)
        for current in ("init", "info"):
            getattr(module, current)()
            result["called"].append(current)
        current = "predict_on_matrix"
        if SAMPLES[0] in tables:
            module.predict_on_matrix(tables[SAMPLES[0]])
            result["called"].append(current)
    except _NotATable as error:
        result.update(failed=current, type=str(error))
    except BaseException as error:
        traceback.print_exc()
        last_line = traceback.format_exception_only(type(error), error)[-1].strip()
        result.update(failed=current, error=last_line)
    with open(result_file, "w", encoding="utf-8") as file:
        json.dump(result, file)
    return 1 if result["failed"] else 0


class _NotATable(Exception):
    """A sample is no pandas table."""


def _read_table(file: str) -> object:
    import pandas

    table = pandas.read_pickle(file)
    if not isinstance(table, (pandas.DataFrame, pandas.Series)):
        raise _NotATable(type(table).__name__)
    return table


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
