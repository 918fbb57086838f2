#!/usr/bin/env python3
"""Instructions that some commands execute, beside how many they did: a regression is seen without a clock.

usage: instructions.py LMSCOPE [--write]

Runs each command under valgrind's callgrind on one thread and compares the count with tests/baselines/instructions.json:
5 % more fails; --write takes what was found as the new baseline. valgrind knows no AVX-512, so that the kernels are those
for AVX2 on every x86-64 machine. The baseline is of a development build; a compiler of another version moves it.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
BASELINE = ROOT / "tests/baselines/instructions.json"
GGUF = "fixtures/models/tiny-llama-gguf/model.gguf"
ALLOWED = 1.05

COMMANDS = {
    "predict": ["predict", "Tom Cruise's mother is " * 30],
    "predict, gguf": ["predict", "the cat sat on a " * 4, "-m", GGUF],
    "predict, gguf, fast": ["predict", "the cat sat on a " * 4, "-m", GGUF, "--fast"],
    "lens": ["lens", "logit-lens", "Tom Cruise's mother is Mary Lee"],
}


def count(lmscope, arguments):
    with tempfile.TemporaryDirectory() as home:
        # one thread waits for no other, and no cache of an earlier run helps
        env = {"PATH": os.environ["PATH"], "HOME": home, "RAYON_NUM_THREADS": "1", "NO_COLOR": "1"}
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", lmscope, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
        found = re.search(r"Collected : (\d+)", done.stderr)
        if done.returncode or not found:
            sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
        return int(found.group(1))


def main():
    lmscope, write = str(Path(sys.argv[1]).resolve()), "--write" in sys.argv
    counts = {name: count(lmscope, arguments) for name, arguments in COMMANDS.items()}
    if write:
        BASELINE.write_text(json.dumps(counts, indent=2) + "\n")
    before = json.loads(BASELINE.read_text())
    slower = []
    for name, found in counts.items():
        ratio = found / before[name]
        print(f"{name:24} {found / 1e6:9.1f} million instructions  {ratio:5.3f} of the baseline")
        if ratio > ALLOWED:
            slower.append(name)
    if slower:
        sys.exit(f"more than {ALLOWED - 1:.0%} more instructions than before: {', '.join(slower)}; --write if they are worth it")


if __name__ == "__main__":
    main()
