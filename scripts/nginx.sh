# Chooses the nginx to build for, and builds the module for it. Sourced.
# shellcheck shell=bash

oldest_nginx=1.22

# chosen_nginx DEFAULT...: what NGINX or NGINX_SOURCE_DIR/NGINX_BUILD_DIR ask for, else the default.
chosen_nginx() {
    if [[ -n ${NGINX_SOURCE_DIR:-}${NGINX_BUILD_DIR:-} ]]; then
        [[ -z $nginx_choice ]] || stop \
            "both NGINX and NGINX_SOURCE_DIR/NGINX_BUILD_DIR are set: unset one of them"
        say custom
        return
    fi
    case $nginx_choice in
    '') printf '%s\n' "$@" ;;
    system | vendored) say "$nginx_choice" ;;
    *) stop "NGINX=$nginx_choice is unknown: use NGINX=system or NGINX=vendored" ;;
    esac
}

# prepare NGINX: afterwards cargo builds for it. Sets nginx_binary (except for vendored, whose
# binary comes from the build), cargo_flags, CARGO_TARGET_DIR, NGINX_SOURCE_DIR, NGINX_BUILD_DIR.
prepare() {
    local nginx=$1
    cargo_flags=()
    export CARGO_TARGET_DIR=$target_base/$nginx
    case $nginx in
    system)
        nginx_binary=${NGINX_BINARY:-/usr/sbin/nginx}
        check_nginx "$nginx_binary" /usr/share/nginx/src
        configure_system_headers
        export NGINX_SOURCE_DIR=$target_base/nginx-system/src
        export NGINX_BUILD_DIR=$target_base/nginx-system/objs
        ;;
    custom)
        export NGINX_SOURCE_DIR=${NGINX_SOURCE_DIR:-$(dirname "$NGINX_BUILD_DIR")}
        export NGINX_BUILD_DIR=${NGINX_BUILD_DIR:-$NGINX_SOURCE_DIR/objs}
        [[ -f $NGINX_BUILD_DIR/ngx_auto_config.h ]] || stop \
            "$NGINX_BUILD_DIR has no ngx_auto_config.h: run nginx's configure --with-compat there, or set NGINX_BUILD_DIR"
        nginx_binary=${NGINX_BINARY:-$NGINX_BUILD_DIR/nginx}
        check_nginx "$nginx_binary" "$NGINX_SOURCE_DIR"
        ;;
    vendored)
        cargo_flags=(--features vendored)
        unset NGINX_SOURCE_DIR NGINX_BUILD_DIR
        ;;
    esac
}

# check_nginx BINARY SOURCES: a module built with these headers loads in this nginx.
check_nginx() {
    local binary=$1 sources=$2 about version headers
    [[ -x $binary ]] || stop "no nginx at $binary: set NGINX_BINARY to the nginx to run"
    about=$("$binary" -V 2>&1) || stop "$binary -V fails: set NGINX_BINARY to the nginx to run"
    version=$(sed -n 's|^nginx version: [^/]*/\([0-9.]*\).*|\1|p' <<<"$about")
    headers=$(sed -n 's|^#define NGINX_VERSION  *"\([^"]*\)".*|\1|p' "$sources/src/core/nginx.h" 2>/dev/null || true)

    [[ -n $version ]] || stop "$binary is not an nginx: set NGINX_BINARY to the nginx to run"
    [[ -n $headers ]] || stop \
        "no nginx headers in $sources: install the package nginx-dev, or set NGINX_SOURCE_DIR and NGINX_BUILD_DIR"
    [[ $version == "$headers" ]] || stop \
        "nginx at $binary is $version but the headers in $sources are of $headers: install nginx and nginx-dev of one version, or set NGINX_BINARY, NGINX_SOURCE_DIR and NGINX_BUILD_DIR"
    (($(comparable "$version") >= $(comparable "$oldest_nginx"))) || stop \
        "nginx at $binary is $version, $oldest_nginx or later is needed: upgrade it, or use NGINX=vendored"
    [[ $about == *--with-compat* ]] || stop \
        "nginx at $binary was built without --with-compat and loads no module built apart from it: use one built with it (NGINX_BINARY), or NGINX=vendored"
}

# The package nginx-dev has the sources but not the headers that configure writes.
configure_system_headers() {
    local from=/usr/share/nginx/src to=$target_base/nginx-system stamp
    stamp=$(dpkg-query -W -f='${Version}' nginx-dev 2>/dev/null || true
        cat "$from/conf_flags" "$from/src/core/nginx.h" | cksum)
    if [[ -f $to/objs/ngx_auto_config.h && $(cat "$to/stamp" 2>/dev/null) == "$stamp" ]]; then
        return
    fi

    rm -rf "$to"
    mkdir -p "$to"
    cp -r "$from" "$to/src"
    (
        # shellcheck source=/dev/null
        source "$to/src/conf_flags"
        cd "$to/src"
        ./configure "${NGX_CONF_FLAGS[@]}" --builddir="$to/objs"
    ) >"$to/configure.log" 2>&1 || stop \
        "configuring nginx's headers failed, $to/configure.log says why: $(grep -m1 -i error "$to/configure.log" || tail -n1 "$to/configure.log")"
    say "$stamp" >"$to/stamp"
}

# build_provoked_module: the module of t/panics/ as $provoked_module, for the nginx that was prepared. Shares
# what cargo has built of other crates, so the module itself is to be built after it: both have one name
# below release/.
build_provoked_module() {
    local ours=profile.release.package.ngx-push-stream
    cargo rustc --release "${cargo_flags[@]}" --features provoked-panics --lib --crate-type cdylib \
        --config "$ours.opt-level=0" --config "$ours.codegen-units=16" \
        --config "$ours.debug-assertions=true" || return
    provoked_module=$CARGO_TARGET_DIR/provoked/$module_file
    mkdir -p "$CARGO_TARGET_DIR/provoked"
    cp "$CARGO_TARGET_DIR/release/lib$module_file" "$provoked_module.new"
    mv "$provoked_module.new" "$provoked_module"
    rm "$CARGO_TARGET_DIR/release/lib$module_file"
}

# build_module NGINX: leaves the module as $module and the binary as $nginx_binary, and where its sources
# and what configure wrote are as $nginx_source and $nginx_build.
build_module() {
    local nginx=$1 log=$CARGO_TARGET_DIR/build.json out built
    mkdir -p "$CARGO_TARGET_DIR"
    cargo build --release "${cargo_flags[@]}" --message-format=json-render-diagnostics >"$log" || return

    if [[ $nginx == vendored ]]; then
        out=$(grep '"build-script-executed"' "$log" | grep '#nginx-sys@' |
            sed -n 's/.*"out_dir":"\([^"]*\)".*/\1/p' | tail -n1)
        nginx_binary=$out/objs/nginx
        nginx_source=$(cargo metadata --format-version 1 --features vendored |
            sed -n 's|.*"manifest_path":"\([^"]*/nginx-src-[^"/]*\)/Cargo.toml".*|\1/nginx|p')
        nginx_build=$out/objs
    else
        nginx_source=$NGINX_SOURCE_DIR
        nginx_build=$NGINX_BUILD_DIR
    fi

    # A new file under the old name: an nginx that runs keeps the one it has mapped.
    built=$CARGO_TARGET_DIR/release/lib$module_file
    module=$CARGO_TARGET_DIR/$module_file
    if ! cmp -s "$built" "$module"; then
        cp "$built" "$module.new"
        mv "$module.new" "$module"
    fi
    # for scripts/install
    say "$nginx_binary" >"$CARGO_TARGET_DIR/nginx_binary"
}
