# Finds out what is missing to build and test, and installs it. Sourced.
# shellcheck shell=bash

oldest_rust=1.85
# The one whose rustfmt and clippy judge: each version finds other faults in the same code.
lint_rust=1.95

# cargo_is_there: a Rust toolchain that is new enough; nothing here installs one.
cargo_is_there() {
    if ! command -v cargo >/dev/null && [[ -x $HOME/.cargo/bin/cargo ]]; then
        PATH=$HOME/.cargo/bin:$PATH
    fi
    command -v cargo >/dev/null || stop \
        "cargo is not installed: get Rust $oldest_rust or later from https://rustup.rs (or Debian 13's package cargo) and try again"
    local version
    version=$(rust_version)
    (($(comparable "$version") >= $(comparable "$oldest_rust"))) || stop \
        "cargo $version is too old, $oldest_rust or later is needed: rustup update stable"
}

rust_version() {
    cargo --version | cut -d' ' -f2
}

# lints_are_judged [VERSION]: by a toolchain of this version, or the one that is there.
lints_are_judged() {
    (($(comparable "${1:-$(rust_version)}") == $(comparable "$lint_rust")))
}

say_lints_are_skipped() {
    say "$1: skipped, Rust $lint_rust judges it, and this is $(rust_version)"
}

# missing_packages NGINX: names of the Debian packages whose contents are not there.
missing_packages() {
    local nginx=$1
    command -v "${CC:-cc}" >/dev/null || say gcc
    [[ -e /usr/include/stdlib.h ]] || say libc6-dev
    has_libclang || say libclang-dev
    [[ -e /usr/include/openssl/ssl.h ]] || say libssl-dev
    [[ -e /usr/include/pcre2.h ]] || say libpcre2-dev
    [[ -e /usr/include/zlib.h ]] || say zlib1g-dev
    case $nginx in
    system)
        [[ -n ${NGINX_BINARY:-} ]] || [[ -x /usr/sbin/nginx ]] || say nginx
        [[ -e /usr/share/nginx/src/conf_flags ]] || say nginx-dev
        ;;
    vendored) command -v make >/dev/null || say make ;;
    esac
}

# has_libclang [ROOT]: the library that bindgen loads, in a place where it looks for it, and the compiler's own
# headers, without which it reads no header of C's. Where LIBCLANG_PATH names a file or a directory, it looks
# nowhere else.
has_libclang() {
    local root=${1:-} named=${LIBCLANG_PATH:-} libraries headers places
    local beneath=('lib*' 'lib*/*' 'lib*/*/*' 'local/lib*' 'local/lib*/*' 'local/lib*/*/*' 'local/llvm*/lib*')
    places=("${beneath[@]/#/"$root/usr/"}")
    if [[ -n $named ]]; then
        libraries=$(existing "$named" "$named/libclang*")
        places+=("$named" "$(dirname "$named")")
    else
        libraries=$(existing "${places[@]/%//libclang*}")
    fi
    headers=$(existing "${places[@]/%//clang/*/include/stddef.h}")
    [[ -n $headers ]] &&
        grep -qE '/libclang(-[^/]+)?\.so(\.[^/]+)?$' < <(grep -vE -e '-cpp\.[^/]*$' <<<"$libraries")
}

# existing PATTERN...: the files that there are.
existing() {
    local pattern
    for pattern in "$@"; do compgen -G "$pattern" || true; done
}

# missing_lint_tools: rustfmt and clippy, by the names of Debian's packages.
missing_lint_tools() {
    cargo fmt --version >/dev/null 2>&1 || say rustfmt
    cargo clippy --version >/dev/null 2>&1 || say rust-clippy
}

# missing_test_tools: names of the Debian packages of the programs that are not there.
missing_test_tools() {
    command -v chromium >/dev/null || say chromium
    command -v chromedriver >/dev/null || say chromium-driver
    command -v curl >/dev/null || say curl
    command -v git >/dev/null || say git
    command -v openssl >/dev/null || say openssl
    has_libfaketime || say libfaketime
    missing_filters
}

# missing_filters: filters that Debian's nginx has as modules in packages of their own.
missing_filters() {
    local filter
    [[ -e /usr/share/nginx/src/conf_flags ]] || return 0
    for filter in image xslt subs; do
        [[ -e /usr/lib/nginx/modules/ngx_http_${filter}_filter_module.so ]] || say "libnginx-mod-http-$filter-filter"
    done
}

# has_libfaketime: the library that the tests of the clock preload.
has_libfaketime() {
    compgen -G '/usr/lib*/*/faketime/libfaketime.so.1' >/dev/null ||
        compgen -G '/usr/lib*/faketime/libfaketime.so.1' >/dev/null
}

# has_sanitizer: the runtime of AddressSanitizer, which Debian's rustc comes without.
has_sanitizer() {
    compgen -G "$(rustc --print sysroot)/lib/rustlib/*/lib/librustc*_rt.asan.a" >/dev/null
}

# install PACKAGE...
install() {
    local command="apt-get update && apt-get install -y --no-install-recommends $*"
    command -v apt-get >/dev/null || stop \
        "missing, by the names of Debian's packages: $*; install them and try again"

    local as_root=()
    if ((EUID != 0)); then
        if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
            as_root=(sudo)
        else
            stop "missing packages, and neither root nor sudo to install them; as root run: $command"
        fi
    fi

    say "installing with apt-get: $*"
    [[ " $* " != *" nginx "* ]] || say \
        "note: Debian's package nginx starts a server of its own on port 80; to stop it: systemctl disable --now nginx"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive sh -c "$command" || stop \
        "apt-get could not install what is missing; as root run: $command"
}

# set_up NGINX...: whatever is needed to build for these.
set_up() {
    cargo_is_there
    [[ -z ${CC:-} ]] || command -v "${CC%% *}" >/dev/null || stop \
        "there is no compiler $CC: set CC to one, or unset it"
    [[ -z ${LIBCLANG_PATH:-} ]] || has_libclang || stop \
        "LIBCLANG_PATH=$LIBCLANG_PATH has no libclang, or there are no headers of clang's: set it to a directory or file that has, or unset it"
    local missing nginx
    missing=$(for nginx in "$@"; do missing_packages "$nginx"; done | sort -u | tr '\n' ' ')
    # shellcheck disable=SC2086 # a list of words
    [[ -z $missing ]] || install $missing
}

# set_up_fuzz: the C++ compiler that builds libFuzzer.
set_up_fuzz() {
    command -v "${CXX:-c++}" >/dev/null || install g++
}

# set_up_lint: rustfmt and clippy.
set_up_lint() {
    local missing
    missing=$(missing_lint_tools | tr '\n' ' ')
    [[ -n $missing ]] || return 0
    if command -v rustup >/dev/null; then
        say "installing with rustup: rustfmt clippy"
        rustup component add rustfmt clippy
    else
        # shellcheck disable=SC2086 # a list of words
        install $missing
    fi
}

# set_up_tests: the clients of the acceptance tests, a browser among them.
set_up_tests() {
    local missing
    missing=$(missing_test_tools | tr '\n' ' ')
    # shellcheck disable=SC2086 # a list of words
    [[ -z $missing ]] || install $missing
}

# set_up_packages: what makes Debian packages. False where this is no Debian.
set_up_packages() {
    command -v dpkg >/dev/null && command -v apt-get >/dev/null || return
    local missing
    missing=$(
        command -v dpkg-buildpackage >/dev/null || say dpkg-dev
        command -v dh >/dev/null || say debhelper
        command -v dh_nginx >/dev/null || say nginx-dev
    )
    # shellcheck disable=SC2086 # a list of words
    [[ -z $missing ]] || install $missing
}

# can_make_roots: this process may make Debian roots and namespaces for them.
can_make_roots() {
    ((EUID == 0)) && unshare --mount --pid --fork true 2>/dev/null &&
        { command -v debootstrap >/dev/null || command -v apt-get >/dev/null; }
}

# set_up_deny: cargo-deny, built where there is none. False where this toolchain is too old to build it.
set_up_deny() {
    local version=0.20.2 oldest=1.88
    PATH=$target_base/tools/bin:$PATH
    ! command -v cargo-deny >/dev/null || return 0
    (($(comparable "$(rust_version)") >= $(comparable "$oldest"))) || {
        say "cargo deny: skipped, cargo-deny $version needs Rust $oldest or later to be built, and this is $(rust_version)"
        return 1
    }
    say "installing with cargo: cargo-deny $version, which takes a while"
    cargo install --locked --root "$target_base/tools" "cargo-deny@$version" || stop \
        "cargo-deny could not be installed: cargo install --locked cargo-deny"
}
