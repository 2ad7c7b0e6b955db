"""The performance table: every target, and the ratio to its baseline that was measured here and now; as Markdown.

    python bench/table.py                              # `make bench`: some minutes on two cores
    python bench/table.py --only "clips"               # the rows whose name has this word

Each row is another script of this folder, run by itself so that none disturbs the next, on less data than the figures
in docs/benchmarks/. What those scripts compare, and how, is told at their heads. A row that fails says so, and the exit
status is 1 then. A target that is missed is a finding, not a failure: neighbours on the machine move ratios too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Rows = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Target:
    """One row. `measured` reads the ratio out of what the script printed."""

    what: str
    against: str
    target: float
    command: Sequence[str]
    measured: Callable[[Rows], float]


def ratio_of(key: str, **where: str) -> Callable[[Rows], float]:
    """The number `key` of the one printed row that has these values."""

    def measured(rows: Rows) -> float:
        (row,) = (row for row in rows if where.items() <= row.items())
        return float(row[key])

    return measured


STEP = ("step.py", "--clips", "2")
TARGETS = (
    Target(
        what="clips from store to batch, 360×288", against="the released loader's way", target=15,
        command=("loader.py",), measured=ratio_of("ratio", source="360x288"),
    ),
    Target(
        what="clips from store to batch, 720×576", against="the released loader's way", target=15,
        command=("loader.py",), measured=ratio_of("ratio", source="720x576"),
    ),
    Target(
        what="training step, ViT-B/32", against="nn.MultiheadAttention, 77 tokens", target=1.5,
        command=STEP, measured=ratio_of("measured", step="AdamW fused"),
    ),
    Target(
        what="the same, gains and biases", against="nn.MultiheadAttention, 77 tokens", target=2,
        command=STEP, measured=ratio_of("measured", step="gains and biases"),
    ),
    Target(
        what="loss at a batch of 32,768, peak memory", against="B×B matrices in full (counted)", target=8,
        command=("loss_memory.py", "--batches", "32768", "--chunk", "1024", "--anchors", "1024", "--skip-full"),
        measured=ratio_of("all_anchors_predicted_over_chunked"),
    ),
    Target(
        what="embedding clips on the CPU, int8", against="eager float32, nn.MultiheadAttention", target=2.5,
        command=("embed.py",), measured=ratio_of("ratio", embedding="int8"),
    ),
    Target(
        what="linear probe, 2,000 × 512 × 26", against="scikit-learn's `sag`", target=50,
        command=("probe.py", "--oracle-labels", "6"), measured=ratio_of("ratio"),
    ),
    Target(
        what="detection in a drawn video", against="every sampled frame", target=4,
        command=("keyframes.py", "--theatre", "1", "--seed", "2"), measured=ratio_of("ratio_with_decoding"),
    ),
)  # fmt: skip
UNMEASURED = (("training throughput on one H200, bf16", "the arithmetic", "45 % of it", "needs a GPU"),)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="rows whose name has this word")
    wanted = parser.parse_args().only
    printed: dict[Sequence[str], Rows | str] = {}
    failed = False
    print("| what | baseline | target | measured | |\n|---|---|---|---|---|")
    for target in (target for target in TARGETS if wanted in target.what):
        if target.command not in printed:
            printed[target.command] = run(target.command)
        rows = printed[target.command]
        if isinstance(rows, str):
            print(f"| {target.what} | {target.against} | ≥ {target.target:g}× | failed: {rows} | |", flush=True)
            failed = True
            continue
        ratio = target.measured(rows)
        verdict = "met" if ratio >= target.target else "missed"
        print(f"| {target.what} | {target.against} | ≥ {target.target:g}× | {ratio:.2f}× | {verdict} |", flush=True)
    for what, against, goal, why in (row for row in UNMEASURED if wanted in row[0]):
        print(f"| {what} | {against} | {goal} | not measured: {why} | |")
    return int(failed)


def run(command: Sequence[str]) -> Rows | str:
    """What a script printed, as JSON objects; the last line of its complaint if it failed."""
    script, *arguments = command
    done = subprocess.run([sys.executable, str(HERE / script), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return parse(done.stdout)


def parse(text: str) -> Rows:
    """The JSON objects of a text, one after the other."""
    rows, decoder, start = [], json.JSONDecoder(), 0
    while (start := text.find("{", start)) >= 0:
        row, start = decoder.raw_decode(text, start)
        rows.append(row)
    return rows


if __name__ == "__main__":
    sys.exit(main())
