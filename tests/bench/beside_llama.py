#!/usr/bin/env python3
"""Prefill of 512 and decode of 128 tokens beside llama.cpp's llama-bench, type by type; by hand on a quiet machine.

usage: beside_llama.py LLAMA_BENCH ROUNDS FILE.gguf...

Turn by turn on the same file, two threads each, one round to warm up: the median over the rounds of our rate, of theirs,
and of the ratio of a round, with its range. A decoded token follows 16 others on both sides.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORK = {"prefill": ["-p", "512", "-n", "0"], "decode": ["-p", "0", "-n", "128", "-d", "16"]}


def build():
    done = subprocess.run(
        ["cargo", "bench", "--locked", "--bench", "gguf", "--no-run", "--message-format=json"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return next(m["executable"] for m in reversed(messages) if m.get("executable") and m["target"]["name"] == "gguf")


class Ours:
    def __init__(self, command):
        # as the lmscope binary does for itself
        env = {**os.environ, "RAYON_NUM_THREADS": "2"}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        assert self.process.stdout.readline() == "ready\n", f"{command} ended early"

    def rate(self, work):
        self.process.stdin.write(work + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def theirs(llama_bench, file, work):
    command = [llama_bench, "-m", file, "-t", "2", "-r", "1", "-o", "json", *WORK[work]]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)[0]["avg_ts"]


def main():
    llama_bench, rounds, files = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    bench = os.environ.get("GGUF_BENCH") or build()
    print("| file | | lmscope | llama-bench | ratio |\n| --- | --- | --- | --- | --- |")
    for file in files:
        servers = {how: Ours([bench, file, how]) for how in ("exact", "fast")}
        rates = {}
        for number in range(rounds + 1):
            for work in WORK:
                peer = theirs(llama_bench, file, work)
                for how, server in servers.items():
                    rate = server.rate(work)
                    if number:
                        rates.setdefault((how, work), []).append((rate, peer))
        for (how, work), pairs in rates.items():
            ratios = sorted(ours / peer for ours, peer in pairs)
            ours, peer = (statistics.median(side) for side in zip(*pairs))
            print(
                f"| {Path(file).stem} | {how}, {work} | {ours:.0f} | {peer:.0f} "
                f"| {statistics.median(ratios):.2f} [{ratios[0]:.2f}–{ratios[-1]:.2f}] |",
                flush=True,
            )
        for server in servers.values():
            server.process.kill()


if __name__ == "__main__":
    main()
