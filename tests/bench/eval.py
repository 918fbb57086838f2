#!/usr/bin/env python3
"""lmscope's evaluation beside lm-evaluation-harness, turn by turn in one run, as ratios; run by hand on a quiet machine.

usage: eval.py HF_DIRECTORY [--items N] [--tokens N] [--rounds N] [--seed N] [--keep DIR]

HF_DIRECTORY holds a llama in f32 safetensors. Needs lm-eval 0.4.13, torch and transformers, and builds lmscope. Both
read the same task files over the same seeded, made-up items: choices after five examples (a header of about 300 tokens),
the same choices without examples, and texts. Two threads each, f32. It takes about ten minutes; with --items 200
--tokens 20000, an hour. lm-eval first runs a few items with each batch size, and goes on with its fastest (`auto` is not
among them: it begins with 64 of the longest sequences, five times); it answers from one process that has loaded the model
before, and only its scoring is timed. lmscope is a new process in every turn, without a cache of responses; what counts is
the time that it writes into `run.json`, which ends with the record. Printed are the medians over the rounds, the ratio of
each round with its range, whether both made the same decisions, and how long a process takes besides: the first one hashes
the weights.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ENV = {**os.environ, "RAYON_NUM_THREADS": "2", "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}
BATCH_SIZES = [1, 4, 8, 16, 32]
TASKS = ["five_shot", "zero_shot", "texts"]
WORDS = """the of and to in is that for it as was with be by on not he his but at are this have from or had an they which
one you were all her she there would their we him been has when who will no more if out so up said what its about than
into them can only other time new some could these two may first then do any like my now over such our man me even most
made after also did many off before must well back through years much where your way down should because long each just
state those people too mister how little good world make very year still see own work men day get here old life both
between being under three never know same last another while us might great go come since against right came take used
himself few house use during without again place around however small found mrs part school went number water city""".split()


def sentence(draw, n):
    words = [draw.choice(WORDS) for _ in range(n)]
    return " ".join(words).capitalize() + "."


def question(draw):
    choices = [" ".join(draw.choice(WORDS) for _ in range(draw.randint(1, 5))) for _ in range(4)]
    return {"question": sentence(draw, 24) + " " + sentence(draw, 24), "choices": choices, "gold": draw.randrange(4)}


def lines(path, docs):
    path.write_text("".join(json.dumps(doc) + "\n" for doc in docs))


def write_tasks(folder, args):
    """Task files and their data, which depend on the seed alone."""
    draw = random.Random(args.seed)
    lines(folder / "shots.jsonl", [question(draw) for _ in range(5)])
    lines(folder / "items.jsonl", [question(draw) for _ in range(args.items)])
    few = [question(draw) for _ in range(8)]
    lines(folder / "few.jsonl", few)
    texts, left = [], args.tokens
    while left > 0:
        # a word is about a token, and so is a full stop
        n = min(left, 1500)
        texts.append({"text": " ".join(sentence(draw, 15) for _ in range(max(n // 16, 1)))})
        left -= n
    lines(folder / "texts.jsonl", texts)
    lines(folder / "few_texts.jsonl", [{"text": " ".join(sentence(draw, 15) for _ in range(16))} for _ in range(8)])
    choice = """dataset_path: json
output_type: multiple_choice
training_split: train
test_split: test
fewshot_split: train
fewshot_config: {sampler: first_n}
doc_to_text: "Question: {{question}}\\nAnswer:"
doc_to_choice: "{{choices}}"
doc_to_target: gold
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
metadata: {version: 1}
"""
    text = """dataset_path: json
output_type: loglikelihood_rolling
test_split: test
doc_to_text: ""
doc_to_target: "{{text}}"
metric_list: [{metric: word_perplexity}]
metadata: {version: 1}
"""
    for name, shots, data in [("five_shot", 5, "items"), ("zero_shot", 0, "items"), ("few", 5, "few"), ("few_alone", 0, "few")]:
        files = f"dataset_kwargs: {{data_files: {{train: {folder}/shots.jsonl, test: {folder}/{data}.jsonl}}}}\n"
        (folder / f"{name}.yaml").write_text(f"task: {name}\nnum_fewshot: {shots}\n{files}{choice}")
    for name in ["texts", "few_texts"]:
        files = f"dataset_kwargs: {{data_files: {{test: {folder}/{name}.jsonl}}}}\n"
        (folder / f"{name}.yaml").write_text(f"task: {name}\n{files}{text}")


def serve(model, folder):
    """lm-eval: runs the task and batch size of each line of standard input; answers with seconds, peak and answers."""
    import resource
    from contextlib import redirect_stdout

    with redirect_stdout(sys.stderr):
        import lm_eval
        import torch
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager

        torch.set_num_threads(2)
        # its f32 products may not be rounded to bf16 on the way
        torch.set_float32_matmul_precision("highest")
        lm = HFLM(model, device="cpu", dtype="float32", batch_size=1)
        manager = TaskManager(include_path=folder, include_defaults=False)
    clock = [0.0]

    def timed(answer):
        def run(*args, **kwargs):
            start = time.perf_counter()
            found = answer(*args, **kwargs)
            clock[0] += time.perf_counter() - start
            return found

        return run

    lm.loglikelihood, lm.loglikelihood_rolling = timed(lm.loglikelihood), timed(lm.loglikelihood_rolling)
    print("ready", lm_eval.__version__, flush=True)
    for line in sys.stdin:
        task, batch = line.split()
        lm.batch_size_per_gpu = int(batch)
        clock[0] = 0.0
        with redirect_stdout(sys.stderr):
            found = lm_eval.simple_evaluate(
                lm, tasks=[task], task_manager=manager, bootstrap_iters=0, log_samples=True
            )
        answers = {}
        for sample in found["samples"][task]:
            responses = [one[0] for one in sample["resps"]]
            answers[sample["doc_id"]] = [float(one[0] if isinstance(one, (list, tuple)) else one) for one in responses]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps({"seconds": clock[0], "peak": peak, "answers": answers}), flush=True)


class Harness:
    """lm-eval in a process of its own."""

    def __init__(self, model, folder):
        start = time.perf_counter()
        command = [sys.executable, __file__, "serve", model, folder]
        log = open(Path(folder) / "lm_eval.log", "w")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=ENV
        )
        answer = self.process.stdout.readline().split()
        if answer[:1] != ["ready"]:
            sys.exit(f"lm-eval ended early: see {log.name}")
        self.version, self.start = answer[1], time.perf_counter() - start

    def run(self, task, batch):
        self.process.stdin.write(f"{task} {batch}\n")
        self.process.stdin.flush()
        found = json.loads(self.process.stdout.readline())
        found["answers"] = {int(at): answers for at, answers in found["answers"].items()}
        return found


def loglik(response):
    scored = [response["scored"]] if "scored" in response else response["rolled"]["windows"]
    return sum(sum(window["logprobs"]) for window in scored)


def ours(lmscope, model, folder, task, extra):
    """A new process; seconds without the start, those of the start, and the answers."""
    with tempfile.TemporaryDirectory() as home:
        record = Path(home) / "record"
        # hashes of weights are remembered; responses are not, which --no-cache says
        env = {**ENV, "LMSCOPE_DATA": home, "LMSCOPE_CACHE": f"{folder}/cache"}
        command = [lmscope, "eval", "run", f"{folder}/{task}.yaml", "-m", model, "-o", record, "--no-cache", *extra]
        start = time.perf_counter()
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        whole = time.perf_counter() - start
        if status:
            sys.exit(f"lmscope failed: {errors}")
        seconds = json.loads((record / "run.json").read_text())["outcome"]["seconds"]
        items = [json.loads(line) for line in (record / "items.jsonl").read_text().splitlines()]
        answers = {item["index"]: [loglik(response) for response in item["responses"]] for item in items}
        return {"seconds": seconds, "start": whole - seconds, "peak": usage.ru_maxrss // 1024, "answers": answers}


def compared(found, expected):
    """How many items are decided alike, of how many, and the largest difference of a log-likelihood."""
    best = lambda answers: max(range(len(answers)), key=lambda at: answers[at])
    pairs = [(found[at], expected[at]) for at in expected]
    worst = max(abs(a - b) for found, expected in pairs for a, b in zip(found, expected, strict=True))
    return sum(best(a) == best(b) for a, b in pairs), len(pairs), worst


def build():
    # what is built already
    if "LMSCOPE" in os.environ:
        return Path(os.environ["LMSCOPE"])
    subprocess.run(["cargo", "build", "--locked", "--release"], cwd=ROOT, check=True)
    metadata = subprocess.run(
        ["cargo", "metadata", "--locked", "--no-deps", "--format-version=1"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )
    return Path(json.loads(metadata.stdout)["target_directory"]) / "release/lmscope"


def cores():
    """The processor and how wide its vectors are."""
    text = Path("/proc/cpuinfo").read_text()
    value = lambda key: next((line.split(":")[1].strip() for line in text.splitlines() if line.startswith(key)), "?")
    wide = [flag for flag in ["avx512f", "avx2", "asimd"] if flag in value("flags").split()]
    return f"{os.cpu_count()} cores, {value('model name')}, {wide[0] if wide else 'no wide vectors'}"


def show(ratios):
    ratios = sorted(ratios)
    return f"{statistics.median(ratios):.2f} [{ratios[0]:.2f}-{ratios[-1]:.2f}]"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--items", type=int, default=24, help="questions with four choices each")
    parser.add_argument("--tokens", type=int, default=9_000, help="tokens of texts, about")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tasks", default=",".join(TASKS), help="which of them")
    parser.add_argument("--keep", help="write task files here")
    parser.add_argument("--lmscope", help="a binary, instead of building one")
    parser.add_argument("--batch-sizes", default=",".join(map(str, BATCH_SIZES)), help="those lm-eval tries")
    args, extra = parser.parse_known_args()
    folder = Path(args.keep or tempfile.mkdtemp())
    folder.mkdir(exist_ok=True)
    write_tasks(folder, args)
    lmscope = args.lmscope or build()
    harness = Harness(args.model, str(folder))
    print(f"{cores()}; lm-eval {harness.version}; {args.items} items, {args.rounds} rounds", flush=True)
    sizes = [int(size) for size in args.batch_sizes.split(",")]
    best = {}
    for task, few in [("five_shot", "few"), ("zero_shot", "few_alone"), ("texts", "few_texts")]:
        if task not in args.tasks:
            continue
        harness.run(few, sizes[0])
        seconds = {size: harness.run(few, size)["seconds"] for size in sizes}
        best[task] = min(seconds, key=seconds.get)
        shown = ", ".join(f"{size}: {8 / taken:.2f}" for size, taken in seconds.items())
        print(f"lm-eval, {few}, items/s by batch size: {shown}", flush=True)
    starts = []
    for task in args.tasks.split(","):
        runs = []
        for _ in range(args.rounds):
            runs.append((ours(lmscope, args.model, folder, task, extra), harness.run(task, best[task])))
        mine, theirs = zip(*runs)
        starts.extend(run["start"] for run in mine)
        alike, n, worst = compared(mine[0]["answers"], theirs[0]["answers"])
        amount, unit = (args.tokens, "tokens/s") if task == "texts" else (args.items, "items/s")
        rates = [amount / statistics.median(run["seconds"] for run in runs) for runs in (mine, theirs)]
        ratios = [b["seconds"] / a["seconds"] for a, b in runs]
        decided = f"{alike} of {n} decided alike, " if task != "texts" else ""
        print(
            f"{task:10} {rates[0]:8.2f} {unit}  {show(ratios)} x lm-eval's {rates[1]:.2f} (batch size {best[task]}); "
            f"{decided}log-likelihoods within {worst:.1e}; peak {mine[-1]['peak']} MiB beside {theirs[-1]['peak']}",
            flush=True,
        )
    first, *later = starts
    later = later or starts
    print(
        f"start: {first:.2f} s, then {statistics.median(later):.2f} s [{min(later):.2f}-{max(later):.2f}] "
        f"beside {harness.start:.1f} s"
    )
    harness.process.stdin.close()
    harness.process.wait()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(*sys.argv[2:4])
    else:
        main()
