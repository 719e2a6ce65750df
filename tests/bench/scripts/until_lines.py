"""`until_lines.py COUNT PROGRAM ARGUMENT…`: run a program until it has printed COUNT lines, then interrupt it."""

import signal
import subprocess
import sys

count = int(sys.argv[1])
with subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE) as process:
    for number, _ in enumerate(process.stdout, 1):
        if number == count:
            break
    else:
        sys.exit(f"it ended after fewer than {count} lines")
    process.send_signal(signal.SIGINT)
