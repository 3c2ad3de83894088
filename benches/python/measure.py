"""Runs a command and prints its seconds and its peak memory in MiB.

A process of its own and a small one: Linux counts the memory of the process that starts a command
into the peak of the command.
"""

import os
import sys
import time

command = sys.argv[1:]
start = time.perf_counter()
sink = os.open(os.devnull, os.O_WRONLY)
process = os.posix_spawnp(
    command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, sink, 1)]
)
_, status, usage = os.wait4(process, 0)
seconds = time.perf_counter() - start
if status != 0:
    sys.exit(f"{' '.join(command)}: failed")
# Linux counts in KiB, macOS in bytes.
print(seconds, usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10))
