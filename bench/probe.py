"""Speed of the linear probe, and its objective, against scikit-learn's one-vs-rest `sag` at its default tolerance.

    python bench/probe.py                              # 2,000 × 512 × 26: some ten seconds
    python bench/probe.py --rows 9222                  # BoLD's size: a minute or two, nearly all of it scikit-learn's
    python bench/probe.py --rows 1000000 --oracle-labels 0 --fits 1     # what a million rows take: 13 GB to make them

Prints JSON. Times are CPU seconds of one thread each (`sag` has no more), so that neighbours do not count. Features
are unit vectors with a common direction and a decaying spectrum, as a CLIP model's are. With `--oracle-labels K` only
the first K labels are given to scikit-learn, and its time is scaled up; with 0 it is left out.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from mien.eval.probe import LinearProbe, fit_one_vs_rest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--labels", type=int, default=26)
    parser.add_argument("--oracle-labels", type=int, default=26)
    parser.add_argument("--C", type=float, default=3.16)
    parser.add_argument("--fits", type=int, default=3, help="of ours; the ratio takes their median time")
    args = parser.parse_args()
    torch.set_num_threads(1)
    x, positive = make_data(rows=args.rows, width=args.width, labels=args.labels)
    classes = tuple(str(i) for i in range(args.labels))
    before_mib = forget_peak()

    fit_one_vs_rest(x[:100], positive[:100], classes=classes, C=args.C)  # threads and libraries wake up
    ours_s = []
    for _ in range(args.fits):
        begin = time.process_time()
        ours = fit_one_vs_rest(x, positive, classes=classes, C=args.C)
        ours_s.append(time.process_time() - begin)
    grown_mib = peak_mib() - before_mib

    theirs_s, excess, largest = 0.0, [], []
    for k in range(args.oracle_labels):
        oracle = LogisticRegression(C=args.C, solver="sag", max_iter=1000, random_state=0)
        begin = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            oracle.fit(x, positive[:, k])
        theirs_s += time.process_time() - begin
        best = objective(x, positive[:, k], ours.weight[k], ours.bias[k], C=args.C)
        other = objective(x, positive[:, k], oracle.coef_[0], oracle.intercept_[0], C=args.C)
        excess.append(best / other - 1)
        largest.append(float(np.abs(ours.weight[k] - oracle.coef_[0]).max()))
    theirs_s *= args.labels / max(1, args.oracle_labels)
    print(
        json.dumps(
            {
                "rows": args.rows, "width": args.width, "labels": args.labels, "C": args.C,
                "mien_cpu_s": [round(s, 3) for s in ours_s], "sklearn_sag_cpu_s": round(theirs_s, 3),
                "ratio": round(theirs_s / statistics.median(ours_s), 1),
                "objective_excess_worst": max(excess, default=None),
                "objective_excess_best": min(excess, default=None),
                "coefficient_difference_max": max(largest, default=None),
                "gradient_max": gradient_max(x, positive, ours, C=args.C),
                "features_mib": x.nbytes >> 20, "peak_grown_by_mib": grown_mib,
                "oracle_labels_timed": args.oracle_labels,
                "machine": platform.processor() or platform.machine(),
                "torch": torch.__version__, "sklearn": sklearn.__version__,
            },
            indent=1,
        )
    )  # fmt: skip


def forget_peak() -> int:
    """The MiB that this process holds now, from which Linux counts the peak anew: making the data took more."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_mib()


def peak_mib() -> int:
    """The most memory that this process has held, since `forget_peak` if that was called."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) >> 10


def make_data(*, rows: int, width: int, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit features [rows, width] float32 and labels [rows, labels] bool, from rare (1 %) to common (40 %)."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, width)) * np.arange(1, width + 1) ** -0.5
    x = (x + 1.5 * rng.normal(size=width) / width**0.5) @ np.linalg.qr(rng.normal(size=(width, width)))[0]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    logits = 6 * x @ rng.normal(size=(width, labels)) / x.std() / width**0.5 + 2 * rng.logistic(size=(rows, labels))
    return x.astype(np.float32), logits > np.quantile(logits, 1 - np.geomspace(0.01, 0.4, labels), axis=0).diagonal()


def objective(x: np.ndarray, y: np.ndarray, weight: np.ndarray, bias: float, *, C: float) -> float:
    """`½‖w‖² + C Σ log-loss` of one label."""
    weight = weight.astype(np.float64)  # `sag` keeps to the features' float32
    logits = x.astype(np.float64) @ weight + bias
    return float(0.5 * weight @ weight + C * np.logaddexp(0, np.where(y, -logits, logits)).sum())


def gradient_max(x: np.ndarray, positive: np.ndarray, probe: LinearProbe, *, C: float) -> float:
    """The largest entry of the objective's gradient in the weights, over all labels."""
    residual = C * (probe.probabilities(x) - positive)
    return float(np.abs(residual.T @ x.astype(np.float64) + probe.weight).max())


if __name__ == "__main__":
    main()
