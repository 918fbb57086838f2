#!/usr/bin/env python3
"""lmscope beside its peers, turn by turn in one run, as ratios; run by hand on a quiet machine.

usage: compare.py MODEL.gguf F32_DIRECTORY BF16_DIRECTORY [ROUNDS]

All three hold one llama. Needs torch, transformers, transformer-lens and
llama-cpp-python, and builds lmscope. In every round each workload of each program runs once, two threads each, so that
a busy machine slows all of them alike. Printed are the medians and, where there is a peer, the median over the rounds
of the ratio of that round.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from peers import PREFILL, ids

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ROUNDS = 3
PROMPT = "The capital of France is"

# ours, the peer's program, its workload
PAIRS = [
    ("gguf fast prefill 512", "lmscope", "candle-transformers Q prefill 512"),
    ("gguf fast prefill 512", "llama.cpp", "llama.cpp prefill 512"),
    ("gguf fast decode 128", "lmscope", "candle-transformers Q decode 128"),
    ("gguf fast decode 128", "llama.cpp", "llama.cpp decode 128"),
    ("gguf exact prefill 512", "lmscope", "candle-transformers Q prefill 512"),
    ("gguf exact prefill 512", "llama.cpp", "llama.cpp prefill 512"),
    ("gguf exact decode 128", "lmscope", "candle-transformers Q decode 128"),
    ("gguf exact decode 128", "llama.cpp", "llama.cpp decode 128"),
    ("f32 prefill 512", "lmscope", "candle-transformers f32 prefill 512"),
    ("f32 prefill 512", "transformers", "transformers f32 prefill 512"),
    ("f32 prefill 512", "transformer-lens", "TransformerLens f32 prefill 512"),
    ("f32 decode 128", "lmscope", "candle-transformers f32 decode 128"),
    ("f32 decode 128", "transformers", "transformers f32 decode 128"),
    ("f32 decode 128", "transformer-lens", "TransformerLens f32 decode 128"),
    ("bf16 exact prefill 512", "transformers-bf16", "transformers bf16 prefill 512"),
    ("bf16 exact decode 128", "transformers-bf16", "transformers bf16 decode 128"),
    ("bf16 fast prefill 512", "transformers-bf16", "transformers bf16 prefill 512"),
    ("bf16 fast decode 128", "transformers-bf16", "transformers bf16 decode 128"),
    ("f32 512, every hook but result kept", "transformer-lens", "TransformerLens f32 512, run_with_cache"),
    ("f32 512, every hook but result kept, again", "transformer-lens", "TransformerLens f32 512, run_with_cache, again"),
    ("f32 512, patterns and streams kept", "transformer-lens", "TransformerLens f32 512, run_with_cache"),
    ("f32 512, patterns and streams kept, again", "transformer-lens", "TransformerLens f32 512, run_with_cache, again"),
    ("f32 512, patterns and streams kept", "transformer-lens", "TransformerLens f32 512, patterns and streams kept"),
    (
        "f32 512, patterns and streams kept, again",
        "transformer-lens",
        "TransformerLens f32 512, patterns and streams kept, again",
    ),
    ("f32 512, patterns and streams kept", "transformers", "transformers f32 512, attentions and states"),
    ("f32 512, patterns and streams kept, again", "transformers", "transformers f32 512, attentions and states, again"),
    ("f32 logit lens 128", "transformers", "transformers f32 logit lens 128"),
    ("f32 logit lens 128", "transformer-lens", "TransformerLens f32 logit lens 128"),
]
# what takes much memory runs once more at once: programs give it back after different times
AGAIN = ("run_with_cache", "attentions and states", "kept")


class Server:
    """A program that runs the workload it is told on its standard input."""

    def __init__(self, command):
        # what the lmscope binary sets for itself
        env = {**os.environ, "OMP_WAIT_POLICY": "passive", "RAYON_NUM_THREADS": "2"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env
        )
        self.workloads = []
        for line in self.process.stdout:
            if line.strip() == "ready":
                return
            self.workloads.append(line.rstrip("\n"))
        sys.exit(f"{command} ended early")

    def run(self, workload):
        self.process.stdin.write(workload + "\n")
        self.process.stdin.flush()
        seconds, tokens = self.process.stdout.readline().split()
        return float(seconds), int(tokens)

    def peak_mib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def build():
    # what is built already
    if "FORWARD_BENCH" in os.environ:
        return os.environ["FORWARD_BENCH"], os.environ["LMSCOPE"]
    done = subprocess.run(
        ["cargo", "bench", "--locked", "--bench", "forward", "--no-run", "--message-format=json"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    bench = next(m["executable"] for m in reversed(messages) if m.get("executable") and m["target"]["name"] == "forward")
    subprocess.run(["cargo", "build", "--locked", "--release"], cwd=ROOT, check=True, capture_output=True)
    return bench, ROOT / "target/release/lmscope"


def whole_processes(what, commands):
    """Prints seconds and peak memory of whole processes, turn by turn."""
    times = {name: [] for name in commands}
    for number in range(ROUNDS + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            assert status == 0, f"{command} failed"
            if number:
                times[name].append((time.perf_counter() - start, usage.ru_maxrss // 1024))
    for name, runs in times.items():
        seconds, peak = (statistics.median(side) for side in zip(*runs))
        print(f"{what}: {name:32} {seconds:8.2f} s, peak {peak:6.0f} MiB", flush=True)


def start_to_answer(lmscope, gguf, directory):
    """A whole process that loads the model and prints the ten most probable tokens."""
    peer = [sys.executable, str(HERE / "peers.py"), gguf, directory, "answer"]
    whole_processes("start to answer", {
        "lmscope, gguf exact": [lmscope, "predict", PROMPT, "-m", gguf],
        "lmscope, gguf fast": [lmscope, "predict", PROMPT, "-m", gguf, "--fast"],
        "lmscope, f32": [lmscope, "predict", PROMPT, "-m", directory],
        "llama-cpp-python, gguf": [*peer, "llama.cpp"],
        "transformers, f32": [*peer, "transformers"],
    })


def capture(lmscope, gguf, directory):
    """A whole process that keeps hooks of 512 tokens; lmscope writes them to a file besides."""
    listed = subprocess.run([lmscope, "hooks", "-m", directory], capture_output=True, text=True, check=True).stdout
    hooks = [line.split()[0] for line in listed.splitlines() if "hook" in line]
    every = ",".join(hook for hook in hooks if not hook.endswith("hook_result"))
    tokens = ",".join(map(str, ids(PREFILL)))
    peer = [sys.executable, str(HERE / "peers.py"), gguf, directory, "answer"]
    with tempfile.TemporaryDirectory() as folder:
        trace = [lmscope, "trace", "-m", directory, "--tokens", tokens, "-o", f"{folder}/trace.safetensors"]
        whole_processes("512 tokens kept", {
            "lmscope, every hook but result": [*trace, "--hooks", every],
            "lmscope, patterns and streams": trace,
            "TransformerLens, run_with_cache": [*peer, "run_with_cache"],
            "TransformerLens, patterns, streams": [*peer, "patterns_and_streams"],
        })


def main():
    global ROUNDS
    gguf, directory, halves = sys.argv[1:4]
    ROUNDS = int(sys.argv[4]) if len(sys.argv) > 4 else ROUNDS
    bench, lmscope = build()
    start_to_answer(lmscope, gguf, directory)
    capture(lmscope, gguf, directory)
    peers = str(HERE / "peers.py")
    servers = {"lmscope": Server([bench, gguf, directory, halves, "serve"])}
    for name in ["llama.cpp", "transformers", "transformer-lens"]:
        servers[name] = Server([sys.executable, peers, gguf, directory, "serve", name])
    servers["transformers-bf16"] = Server([sys.executable, peers, gguf, halves, "serve", "transformers-bf16"])
    times = {}
    for number in range(ROUNDS + 1):
        for name, server in servers.items():
            for workload in server.workloads:
                again = [f"{workload}, again"] if workload.endswith(AGAIN) else []
                for label in [workload, *again]:
                    run = server.run(workload)
                    # the first round warms up
                    if number:
                        times.setdefault((name, label), []).append(run)
        print(f"round {number} of {ROUNDS}", file=sys.stderr, flush=True)
    for (name, workload), runs in times.items():
        rate = statistics.median(tokens / seconds for seconds, tokens in runs)
        print(f"{workload:44} {rate:8.0f} tokens/s")
    print()
    for ours, peer, theirs in PAIRS:
        rounds = zip(times[("lmscope", ours)], times[(peer, theirs)])
        ratios = sorted(their_seconds / our_seconds for (our_seconds, _), (their_seconds, _) in rounds)
        print(f"{ours:38} {statistics.median(ratios):6.2f} x {theirs}  [{ratios[0]:.2f}-{ratios[-1]:.2f}]")
    print()
    for name, server in servers.items():
        print(f"peak memory of all workloads: {name:20} {server.peak_mib():6} MiB")


if __name__ == "__main__":
    main()
