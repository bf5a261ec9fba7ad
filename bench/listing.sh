#!/usr/bin/env bash
# What reading a list of 100,000 channels in one worker does to publishers in another.
set -euo pipefail
cd "$(dirname "$0")/.."

environment=$(scripts/env)
eval "$environment"
exec cargo bench --no-default-features --bench listing
