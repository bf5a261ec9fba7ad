#!/usr/bin/env bash
# What thousands of subscribers that only wait cost a worker's processor.
set -euo pipefail
cd "$(dirname "$0")/.."

environment=$(scripts/env)
eval "$environment"
ulimit -n 20000
exec cargo bench --no-default-features --bench idle_timers
