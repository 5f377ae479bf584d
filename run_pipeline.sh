#!/usr/bin/env bash
# The whole way from a clone to a result: set-up, training, report. Stops at the first failure.
# Usage: ./run_pipeline.sh [overrides of student_perf.train, e.g. model=xgb seed=7]
# What the terminal shows is also kept in logs/pipeline_<date>_<time>.log.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
mkdir -p logs
log="logs/pipeline_$(date +%Y-%m-%d_%H-%M-%S)_$$.log"
python=${VENV:-.venv}/bin/python

step() {
  local name=$1
  shift
  echo "[$(date +%H:%M:%S)] $name"
  "$@" || { code=$?; echo "[$(date +%H:%M:%S)] FAILED: $name (exit code $code)" >&2; exit "$code"; }
}

pipeline() {
  step "1/3 set-up" make --no-print-directory setup
  step "2/3 training" "$python" -m student_perf.train "$@"
  step "3/3 report" "$python" -m student_perf report
  echo "[$(date +%H:%M:%S)] done"
}

# pipefail carries the pipeline's exit code past tee.
pipeline "$@" 2>&1 | tee "$log"
echo "Log: $log"
