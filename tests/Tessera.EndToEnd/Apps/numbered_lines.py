"""Writes "line 1" to "line N" at a steady rate, then sleeps."""

import argparse
import os
import time

options = argparse.ArgumentParser()
options.add_argument("--count", type=int, required=True)
options.add_argument("--per-second", type=int, required=True)
OPTIONS = options.parse_args()

began = time.monotonic()
for number in range(1, OPTIONS.count + 1):
    os.write(1, b"line %d\n" % number)
    ahead = number / OPTIONS.per_second - (time.monotonic() - began)
    if ahead > 0.005:
        time.sleep(ahead)
while True:
    time.sleep(3600)
