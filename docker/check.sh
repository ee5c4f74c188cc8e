#!/bin/sh
# The checks of this folder that need no Docker engine. Those whose tool is not here are named and skipped.
#
#     docker/check.sh [BINARY]      BINARY: what `swift build -c release` made, by default .build/release/sluice
set -eu
cd "$(dirname "$0")/.."
binary=${1:-.build/release/sluice}
failed=0

say() { echo "docker: $*"; }

fail() {
    say "$*" >&2
    failed=1
}

for script in docker/*.sh; do
    sh -n "$script" || fail "$script is no valid script"
done
if command -v shellcheck >/dev/null 2>&1; then
    shellcheck docker/*.sh || fail "shellcheck found something"
else
    say "no shellcheck here: skipped"
fi

# A library that the image lacks would be found when the image is built, where CI does not look.
if [ -x "$binary" ] && command -v readelf >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1; then
    # What the binary itself asks for: a package brings along what its own libraries need. Swift's are static there.
    for name in $(readelf -d "$binary" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -viE 'swift|ld-linux'); do
        library=$(ldd "$binary" | awk -v name="$name" '$1 == name { print $3 }')
        # /lib may be a link to /usr/lib, and dpkg knows a file by one of the two.
        package=$(dpkg-query -S "$(realpath "$library")" "$library" 2>/dev/null | head -n 1 | cut -d : -f 1)
        case "$package" in
            libc6 | libgcc-s1) ;; # every other package brings them
            "") fail "$name is of no package" ;;
            *) grep -qw -- "$package" docker/Dockerfile || fail "$name (package $package) is not in the Dockerfile" ;;
        esac
    done
else
    say "no $binary here, or no readelf or dpkg: its libraries are not compared with the Dockerfile's"
fi

if docker compose version >/dev/null 2>&1; then
    docker compose -f docker/compose.yaml config --quiet || fail "docker/compose.yaml is not valid"
elif command -v docker-compose >/dev/null 2>&1; then
    docker-compose -f docker/compose.yaml config --quiet || fail "docker/compose.yaml is not valid"
else
    say "no docker compose here: compose.yaml is not checked"
fi

[ "$failed" -eq 0 ] && say "all is well"
exit "$failed"
