"""`usage.py REPORT PROGRAM ARGUMENT…`: run a program and write its resource usage to REPORT as JSON.

A separate, small process, because Linux attributes the memory of the parent to a started program.
"""

import json
import os
import sys
import time
from pathlib import Path

report, program, *arguments = sys.argv[1:]
start = time.monotonic()
process = os.posix_spawnp(program, [program, *arguments], os.environ)
_, status, rusage = os.wait4(process, 0)
usage = {"wall": time.monotonic() - start, "cpu": rusage.ru_utime + rusage.ru_stime, "peak": rusage.ru_maxrss * 1024}
with Path(report).open("w") as file:
    json.dump(usage, file)
sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
