#!/usr/bin/env python3
"""Runs every suite of the binary on the embedded models and on one more, and writes docs/results.md; needs no packages.

usage: results.py LMSCOPE MODEL [--name NAME] [--tier quick|full] [--records DIR] [--out docs/results.md]

LMSCOPE is a released binary, MODEL a model with a chat template. Each suite is run by its name, raw on `slide`, through the
chat template on `slide-chat` and MODEL unless it is of texts, without the cache of responses; suites of pairs once more
against a second model.
The file holds what the records say: each metric over all items, with its 95 % interval, how that was made, and the time of
the run. With --records a run that is complete is not run again, and one that was killed goes
on.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile

# suites of texts that go on, which no chat asks for
TEXTS = ("next-word", "compression")
# exercises, whose examples a chat model needs that was not trained on them
EXERCISES = ("system-1-2", "self-improvement")
# suites that say more of two models than of one
PAIRED = ("base-vs-assistant", "comparisons")


def call(lmscope, *arguments):
    return subprocess.run([lmscope, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def suites(lmscope):
    lines = call(lmscope, "eval", "list", "--format", "json")
    return [one["name"] for one in json.loads(lines)]


def read(record, name):
    with open(os.path.join(record, name), encoding="utf-8") as file:
        return json.load(file)


def measured(lmscope, record, suite, options, tier):
    """The record of a run, which is run if it is not complete."""
    if os.path.exists(os.path.join(record, "run.json")):
        if read(record, "run.json")["status"] == "complete":
            return record
        options = [*options, "--resume"]
    print(suite, " ".join(options), file=sys.stderr, flush=True)
    call(lmscope, "eval", "run", suite, "--tier", tier, "--no-cache", "-o", record, *options)
    return record


def number(value):
    if value is None:
        return "–"
    if value == 0 or 0.01 <= abs(value) < 1000:
        return f"{value:.3f}"
    return f"{value:.3g}"


def interval(ends):
    return f"{number(ends[0])} to {number(ends[1])}" if ends else "–"


def named(one):
    return one["metric"] if one["filter"] == "none" else f"{one['metric']}, {one['filter']}"


def rows(results):
    for one in results:
        if one.get("stratum"):
            continue
        chance = number(one["chance"]) if one.get("chance") is not None else ""
        yield named(one), number(one["value"]), interval(one["interval"]), one["method"], str(one["n"]), chance


def differences(found):
    for one in found["differences"]:
        if one.get("stratum"):
            continue
        unit = "" if one["unit"] == "own" else one["unit"]
        change = f"{number(one['difference'])} {unit}".strip()
        p = number(one["p_holm"]) if one.get("p_holm") is not None else ""
        yield named(one), number(one["a"]), number(one["b"]), change, interval(one["interval"]), one["method"], p


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.processor()


def table(heads, lines):
    yield "| " + " | ".join(heads) + " |"
    yield "| " + " | ".join("---" for _ in heads) + " |"
    for line in lines:
        yield "| " + " | ".join(line) + " |"


METRICS = ("metric", "value", "95 % interval", "method", "n", "guessing")


def single(suite, name, record, times):
    run = read(record, "run.json")
    outcome = run["outcome"]
    times.append((suite, name, f"{outcome['seconds']:.1f}", str(outcome["n_items"])))
    about = f"{run['model'].get('precision', '')}, {outcome['n_items']} items, {outcome['seconds']:.1f} s"
    return [f"**{name}**, {about}:", "", *table(METRICS, rows(outcome["results"])), ""]


def pair(names, record):
    found = read(record, "against.json")
    heads = ("metric", "A", "B", "A − B", "95 % interval", "method", "p (Holm)")
    text = [f"**{names[0]}** (A) against **{names[1]}** (B):", "", *table(heads, differences(found)), ""]
    both = list(rows(found["results"]))
    return [*text, *table(METRICS, both), ""] if both else text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lmscope")
    parser.add_argument("model")
    parser.add_argument("--name", help="what the model is called in the file")
    parser.add_argument("--tier", default="full")
    parser.add_argument("--records", help="where records are kept")
    parser.add_argument("--out", default="docs/results.md")
    asked = parser.parse_args()
    given = asked.name or os.path.basename(asked.model.rstrip("/"))
    models = [("slide", ["-m", "slide"]), ("slide-chat", ["-m", "slide-chat", "--chat"])]
    models.append((given, ["-m", asked.model, "--chat"]))
    pairs = [("slide-chat", "slide", ["-m", "slide-chat", "--chat", "--against", "slide"])]
    pairs.append((f"{given} in a chat", "the same in plain text", ["-m", asked.model, "--chat", "--against", asked.model]))
    version = call(asked.lmscope, "--version").strip()
    text = [
        "# Results",
        "",
        "What the suites of the binary measure on the two embedded models and on a real one, made by",
        f"`tests/bench/results.py` with {version} on {datetime.date.today()}: {processor()},",
        f"{os.cpu_count()} processors, tier `{asked.tier}`, without the cache. `slide` is asked as it is, the others through",
        f"their chat templates, but for {' and '.join(TEXTS)}; {given} is shown two examples before an exercise.",
        "Intervals are of 95 %; what each metric is, the README of its suite says.",
        "",
    ]
    times = []
    with tempfile.TemporaryDirectory() as folder:
        records = asked.records or folder
        for suite in suites(asked.lmscope):
            text += [f"## {suite}", ""]
            for name, options in models:
                if name == given and suite in EXERCISES:
                    options = [*options, "--num-fewshot", "2"]
                if suite in TEXTS:
                    options = [option for option in options if option != "--chat"]
                record = measured(asked.lmscope, os.path.join(records, f"{suite}-{name}"), suite, options, asked.tier)
                text += single(suite, name, record, times)
            for a, b, options in pairs if suite in PAIRED else []:
                where = os.path.join(records, f"{suite}-{a}-against".replace(" ", "-"))
                text += pair((a, b), measured(asked.lmscope, where, suite, options, asked.tier))
    text += ["## Time", "", "Seconds of each run, after the model is loaded.", ""]
    text += [*table(("suite", "model", "seconds", "items"), times), ""]
    part = asked.out + ".part"
    with open(part, "w", encoding="utf-8") as file:
        file.write("\n".join(text))
    os.replace(part, asked.out)


if __name__ == "__main__":
    main()
