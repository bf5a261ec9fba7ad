#!/usr/bin/env bash
# What a delivered message costs a worker's processor against a bare send, and an idle subscriber its memory.
set -euo pipefail
cd "$(dirname "$0")/.."

environment=$(scripts/env)
eval "$environment"
ulimit -n 20000
exec cargo bench --no-default-features --bench fan_out
