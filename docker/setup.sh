#!/bin/sh
# Installs the system packages that Sluice is built, run and tested with, on Debian or Ubuntu. Says what it does, does
# only what is missing, and may be run any number of times. Used by the README, CI and the Dockerfile.
#
#     docker/setup.sh                  all of them
#     docker/setup.sh --build-only     without what only tests and checks need: for the image
set -eu

# Libraries the product stands on (why each: Package.swift), the tool that finds them, and the time zone data.
build_packages="librdkafka-dev libdeflate-dev libmicrohttpd-dev zlib1g-dev libzstd-dev libsimdjson-dev libyaml-dev"
build_packages="$build_packages libpcre2-dev libsnappy-dev libssl-dev libcurl4-openssl-dev libprotobuf-dev"
# The headers of its compiler are in a package of their own.
build_packages="$build_packages libprotoc-dev pkg-config tzdata"
# What only tests and checks need.
test_packages="gzip zstd valgrind binutils strace kcat chromium chromium-driver python3 python3-yaml python3-jsonschema"
# Read what is written as Avro.
test_packages="$test_packages python3-avro python3-snappy python3-zstandard"
# Make sets of descriptors and messages.
test_packages="$test_packages protobuf-compiler python3-protobuf"
# Java 17 or newer runs the Kafka that tests talk to; any that is there will do.
command -v java >/dev/null 2>&1 || test_packages="$test_packages openjdk-17-jre-headless"

say() { echo "setup: $*"; }

case "$#${1-}" in
    0) ;;
    1--build-only) test_packages="" ;;
    *)
        say "usage: docker/setup.sh [--build-only]" >&2
        exit 2
        ;;
esac

if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
    say "this machine has no apt-get. Install these packages (Debian names) by your system's own means:" >&2
    say "  $build_packages $test_packages" >&2
    exit 1
fi

missing=""
for package in $build_packages $test_packages; do
    state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$state" = "install ok installed" ] || missing="$missing $package"
done

if [ -n "$missing" ]; then
    as_root=""
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            say "packages are missing and this is not root, nor is there sudo. As root, run:" >&2
            say "  apt-get update && apt-get install -y$missing" >&2
            exit 1
        fi
        as_root="sudo"
    fi
    say "installing:$missing"
    $as_root apt-get update -qq
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    say "all packages are there"
fi

if ! command -v swift >/dev/null 2>&1; then
    say "there is no Swift toolchain in PATH: get 6.3 or later from https://www.swift.org/install/linux/" >&2
    exit 1
fi
say "done; $(swift --version 2>/dev/null | head -n 1)"
