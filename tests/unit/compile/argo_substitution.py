"""A model of what Argo 4.1 and the kubelet do to text, for the property test. A fake: it says only what was seen to happen.

Argo looks for `{{...}}` in the serialized template; an unclosed `{{` is an error; `{{=...}}` is evaluated; known names are
replaced. The kubelet turns `$$` into `$` and `$(NAME)` into the variable's value in values of the environment.
"""

from __future__ import annotations

import json
import re
from typing import Any


def through_argo(template: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(template)
    if "{{" in re.sub(r"\{\{.*?\}\}", "", text):
        raise ValueError("unclosed {{")
    return json.loads(re.sub(r"\{\{.*?\}\}", "REPLACED", text))


def through_kubelet(value: str) -> str:
    return re.sub(r"\$\$|\$\([^)]*\)", lambda found: "$" if found[0] == "$$" else "EXPANDED", value)
