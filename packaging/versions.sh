# Of which version a package is. Sourced, after scripts/common.sh.
# shellcheck shell=bash

package=libnginx-mod-http-push-stream-rs

# version: of what is committed, or of the archive that this is: Cargo.toml's, or what comes before it as long as no
# tag v... says that this is it.
version() {
    local version commit date
    version=$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
    read -r commit date <<<"$(origin .)"
    if [[ -z $(git tag --points-at "$commit" --list "v$version" 2>/dev/null) ]]; then
        version+="~$(date -u -d "$date" +%Y%m%d%H%M%S)"
    fi
    say "$version"
}

# origin SOURCES: which commit they are of, and when that was made.
origin() {
    if [[ -e $1/.git ]]; then
        git -C "$1" -c safe.directory='*' log -1 --format='%H %cI'
    else
        tr '\n' ' ' <"$1/COMMIT"
    fi
}

# release SUITE: the number of the Debian it is for, by which packages for a later one count as newer.
release() {
    case $1 in
    bookworm) say 12 ;;
    trixie) say 13 ;;
    forky) say 14 ;;
    *) stop "SUITE=$1 is unknown: the suites are bookworm, trixie and forky" ;;
    esac
}

# changelog SOURCES SUITE VERSION: of Debian's package, from what the source archive says of itself.
changelog() {
    local commit date
    read -r commit date <<<"$(origin "$1")"
    sed -e "s/@VERSION@/$3/; s/@SUITE@/$2/g; s/@COMMIT@/$commit/; s/@DATE@/$(date -R -u -d "$date")/" \
        packaging/debian/changelog.in
}
