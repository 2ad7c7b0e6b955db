#!/usr/bin/env bash
# The demo: the verbs a user would type, one after the other. `make demo` runs it; every step resumes if it is run again.
set -euo pipefail
cd "$(dirname "$0")/.."
demo=runs/demo
run() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

run mien theatre $demo/theatre --train 100 --test 30 --wordings 15
run mien prepare $demo/theatre --out $demo/store --boxes sidecar --subject speaking
run mien train configs/demo.yaml --out $demo/train
run mien train configs/demo.yaml --out $demo/untrained train.steps=0
run mien evaluate theatre --root $demo/theatre --store $demo/store --model $demo/train/model --out $demo/results/trained.json
run mien evaluate theatre --root $demo/theatre --store $demo/store --model $demo/untrained/model --out $demo/results/untrained.json
run mien evaluate --table $demo/results
run mien report $demo/train --store $demo/store --root $demo/theatre --results $demo/results --untrained $demo/untrained/model --out $demo/report.html
run mien analyze --sample --out $demo/sample
