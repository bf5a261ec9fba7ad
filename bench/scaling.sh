#!/usr/bin/env bash
# What an operation on the store costs with 1,000 channels and with 1,000,000.
#   bench/scaling.sh [OPERATIONS]   counts instructions under valgrind, and then compares times
# Ends with an error if the ratio of instructions is above 1.1, or that of times, for as many channels
# in use, above 1.3.
set -euo pipefail
cd "$(dirname "$0")/.."

operations=${1:-20000}
few=1000
many=1000000
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
# the benchmark finds the measured function by its name
export CARGO_PROFILE_BENCH_LTO=off

program=$(cargo bench --no-default-features --bench store_scaling --no-run 2>&1 |
    sed -n 's/^ *Executable .*(\(.*store_scaling-[^)]*\))$/\1/p')
[[ -x $program ]] || { echo "store_scaling was not built" >&2; exit 1; }

# Instructions of the measured function and all that it calls.
instructions() {
    valgrind --tool=callgrind --collect-atstart=no '--toggle-collect=*measured*' \
        --callgrind-out-file=/dev/null "$program" work "$1" "$operations" 2>&1 |
        sed -n 's/^==[0-9]*== Collected : *\([0-9]*\).*/\1/p'
}

a=$(instructions $few)
b=$(instructions $many)
awk -v a="$a" -v b="$b" -v n="$operations" -v few=$few -v many=$many 'BEGIN {
    printf "instructions an operation: %d channels %.0f, %d channels %.0f, ratio %.3f\n",
        few, a / n, many, b / n, b / a
    exit !(a > 0 && b / a <= 1.1)
}' || failed=1

"$program" time | tee /dev/stderr | awk '
    / of / { ratio = $0; sub(/.*ratio +/, "", ratio) }
    END { exit !(ratio + 0 > 0 && ratio + 0 <= 1.3) }' || failed=1
exit "${failed:-0}"
