#!/usr/bin/env python3
"""Runs every suite of the binary on the embedded models and on one more, and writes docs/results.md; needs no packages.

usage: results.py LMSCOPE MODEL [--name NAME] [--tier quick|full] [--out docs/results.md]

LMSCOPE is a released binary, MODEL a model with a chat template. Each suite is run by its name, raw on `slide`, through the
chat template on `slide-chat` and MODEL, without the cache of responses. The file holds what the records say: each metric
that has a better direction, over all items, with its 95 % interval, how that was made, and the time of the run.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import tempfile


def call(lmscope, *arguments):
    return subprocess.run([lmscope, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def suites(lmscope):
    lines = call(lmscope, "eval", "list", "--format", "json")
    return [one["name"] for one in json.loads(lines)]


def measured(lmscope, suite, model, options, tier):
    with tempfile.TemporaryDirectory() as folder:
        record = os.path.join(folder, "record")
        arguments = ["eval", "run", suite, "-m", model, "--tier", tier, "--no-cache", "-o", record, *options]
        call(lmscope, *arguments)
        with open(os.path.join(record, "run.json"), encoding="utf-8") as file:
            return json.load(file)


def number(value):
    if value is None:
        return "–"
    if value == 0 or 0.01 <= abs(value) < 1000:
        return f"{value:.3f}"
    return f"{value:.3g}"


def rows(run):
    for one in run["outcome"]["results"]:
        if one.get("stratum") or one["better"] == "neither":
            continue
        name = one["metric"] if one["filter"] == "none" else f"{one['metric']}, {one['filter']}"
        low, high = one["interval"] or (None, None)
        interval = "–" if low is None else f"{number(low)} to {number(high)}"
        chance = number(one["chance"]) if one.get("chance") is not None else ""
        yield name, number(one["value"]), interval, one["method"], str(one["n"]), chance


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.processor()


def table(heads, lines):
    yield "| " + " | ".join(heads) + " |"
    yield "| " + " | ".join("---" for _ in heads) + " |"
    for line in lines:
        yield "| " + " | ".join(line) + " |"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lmscope")
    parser.add_argument("model")
    parser.add_argument("--name", help="what the model is called in the file")
    parser.add_argument("--tier", default="full")
    parser.add_argument("--out", default="docs/results.md")
    asked = parser.parse_args()
    named = asked.name or os.path.basename(asked.model.rstrip("/"))
    models = [("slide", "slide", []), ("slide-chat", "slide-chat", ["--chat"]), (named, asked.model, ["--chat"])]
    version = call(asked.lmscope, "--version").strip()
    text = [
        "# Results",
        "",
        "What the suites of the binary measure on the two embedded models and on a real one, made by",
        f"`tests/bench/results.py` with {version} on {datetime.date.today()}: {processor()},",
        f"{os.cpu_count()} processors, tier `{asked.tier}`, without the cache. `slide` is asked as it is, the others through",
        "their chat templates. Intervals are of 95 %; what each metric is, the README of its suite says.",
        "",
    ]
    times = []
    for suite in suites(asked.lmscope):
        text += [f"## {suite}", ""]
        for name, model, options in models:
            run = measured(asked.lmscope, suite, model, options, asked.tier)
            outcome = run["outcome"]
            times.append((suite, name, f"{outcome['seconds']:.1f}", str(outcome["n_items"])))
            text += [f"**{name}**, {run['model'].get('precision', '')}, {outcome['n_items']} items, {outcome['seconds']:.1f} s:", ""]
            text += [*table(("metric", "value", "95 % interval", "method", "n", "guessing"), rows(run)), ""]
    text += ["## Time", "", "Seconds of each run, after the model is loaded.", ""]
    text += [*table(("suite", "model", "seconds", "items"), times), ""]
    part = asked.out + ".part"
    with open(part, "w", encoding="utf-8") as file:
        file.write("\n".join(text))
    os.replace(part, asked.out)


if __name__ == "__main__":
    main()
