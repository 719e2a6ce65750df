"""`usage.py REPORT PROGRAM ARGUMENT…`: run a program, and write down what it took, as JSON.

A process of its own because Linux counts the memory of whoever starts a program as the program's: this one is small.
"""

import json
import os
import sys
import time
from pathlib import Path

report, program, *arguments = sys.argv[1:]
began = time.monotonic()
process = os.posix_spawnp(program, [program, *arguments], os.environ)
_, status, used = os.wait4(process, 0)
took = {"wall": time.monotonic() - began, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss * 1024}
with Path(report).open("w") as file:
    json.dump(took, file)
sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
