# Makes Debian roots and runs commands in them. Sourced, after setup.sh; who does so has in $suite which one it is,
# and traps its end with clean_up.
# shellcheck shell=bash

mirror=${MIRROR:-http://deb.debian.org/debian}
# Where commands run in a root; what is bound to its /opt/rust, if anything; and what else is bound, as FROM:TO.
checkout=/srv/push-stream
root=
rust=
binds=()

# Debootstrap's result of each suite, and the packages that were fetched, are kept here for a week.
roots=$target_base/roots

# roots_can_be_made: stops with what is missing.
roots_can_be_made() {
    can_make_roots || stop "only root can make a Debian root, where it may mount: sudo $0"
    command -v debootstrap >/dev/null || install debootstrap
}

# clean_up: ends what runs in the root and removes it. It holds no mounts, which are in namespaces of their own.
clean_up() {
    end_running
    [[ -z $root ]] || rm -rf --one-file-system "$root" 2>/dev/null || {
        sleep 1
        rm -rf --one-file-system "$root"
    }
    root=
}

# enter [--offline] SCRIPT: in the place of this process, runs bash in the root's checkout. All that it starts ends
# with it, and mounts are seen by nobody else. Offline it has a network of its own, with nothing in it but itself.
enter() {
    local network=()
    if [[ $1 == --offline ]]; then
        network=(--net)
        shift
    fi
    exec unshare --mount --pid --fork --kill-child "${network[@]}" -- bash -euc '
        root=$1 checkout=$2 script=$3 rust=$4 binds=$5
        mount -t proc proc "$root/proc"
        mount -t sysfs -o ro sysfs "$root/sys"
        mount -t tmpfs tmpfs "$root/dev/shm"
        mount -t devpts devpts "$root/dev/pts"
        [[ -z $rust ]] || mount --bind -o ro "$rust" "$root/opt/rust"
        for bind in $binds; do
            mount --bind "${bind%:*}" "$root${bind#*:}"
        done
        exec chroot "$root" env -i "${@:6}" bash -c "cd $checkout || exit
$script"
        ' enter "$root" "$checkout" "$1" "$rust" "${binds[*]}" HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        "PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
        ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"}
}

# inside [--offline] SCRIPT: the same, and goes on afterwards. A signal does not have to wait for it.
inside() {
    { enter "$@"; } &
    wait "$!"
}

# end_running: whatever still runs in the root.
end_running() {
    local process
    for process in $(jobs -pr); do
        # not a signal that it leaves to what it runs
        kill -KILL "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
}

# failed WHAT LOG: ends the try with what was said last.
failed() {
    tail -n 40 "$2"
    stop "$suite: $1"
}

# run_logged WHAT [--offline] SCRIPT: inside, stopping at the first command that fails, and shown only then.
run_logged() {
    local what=$1 offline=()
    shift
    if [[ $1 == --offline ]]; then
        offline=(--offline)
        shift
    fi
    inside "${offline[@]}" "set -e
$1" >"$root/log" 2>&1 || failed "$what failed" "$root/log"
}

# make_root: a machine of this suite as Debian installs it at the least, with its security updates.
make_root() {
    local kept=$roots/$suite.tar script=
    mkdir -p "$roots/archives/$suite/partial"
    root=$(mktemp -d)
    chmod 755 "$root"
    if [[ -z $(find "$kept" -mtime -7 2>/dev/null) ]]; then
        # suites younger than this debootstrap are made as unstable is
        [[ -e /usr/share/debootstrap/scripts/$suite ]] || script=/usr/share/debootstrap/scripts/sid
        debootstrap --variant=minbase "$suite" "$root" "$mirror" ${script:+"$script"} >"$root.log" 2>&1 ||
            failed "debootstrap failed" "$root.log"
        rm "$root.log"
        tar --one-file-system -C "$root" -cf "$kept.new" .
        mv "$kept.new" "$kept"
    else
        tar -C "$root" -xf "$kept"
    fi
    rust=
    binds=("$roots/archives/$suite:/var/cache/apt/archives")
    mkdir -p "$root$checkout"
    # as Debian's installer does
    say "127.0.0.1 localhost" >"$root/etc/hosts"
    [[ -n ${MIRROR:-} ]] || say \
        "deb http://deb.debian.org/debian-security $suite-security main" >>"$root/etc/apt/sources.list"
    # a mirror that stands still will do, and nothing has to survive a power failure
    say 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/90roots"
    say force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/90roots"
    # what this machine trusts beyond Debian's list; the package ca-certificates takes it from here
    if [[ -d /usr/local/share/ca-certificates ]]; then
        mkdir -p "$root/usr/local/share"
        cp -r /usr/local/share/ca-certificates "$root/usr/local/share/"
    fi
    # packages start no servers of their own
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
}
