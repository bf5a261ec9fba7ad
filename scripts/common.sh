# What all scripts share. Sourced, after which the working directory is the checkout.
# shellcheck shell=bash

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# cargo is called from a recipe of make, but is no part of its job control.
unset MAKEFLAGS MFLAGS MAKELEVEL

# Everything is written below this directory; each nginx has a target directory of its own in it,
# so that switching between them rebuilds nothing.
target_base=${CARGO_TARGET_DIR:-$PWD/target}
[[ $target_base == /* ]] || target_base=$PWD/$target_base
module_file=ngx_http_push_stream_module.so

# A clean clone gains nothing from building in steps, which takes as much disk again as what is built.
[[ -z ${CI:-} ]] || export CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-0}

# nginx itself takes a variable of this name for the sockets it inherits from a former binary.
nginx_choice=${NGINX:-}
unset NGINX

say() {
    printf '%s\n' "$*"
}

# Ends with one line that says what to do.
stop() {
    printf '%s\n' "$*" >&2
    exit 1
}

# The first two numbers of a version as one that can be compared: 1.22.1 -> 1022.
comparable() {
    local major minor
    IFS=. read -r major minor _ <<<"$1"
    printf '%d' $((10#${major:-0} * 1000 + 10#${minor:-0}))
}
