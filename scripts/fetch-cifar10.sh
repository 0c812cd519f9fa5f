#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches the official CIFAR-10 archive (binary version, 170 MB), checks its MD5 sum as published on
# its page, and unpacks it.
#
# usage: scripts/fetch-cifar10.sh FOLDER
#        lutra dataset import cifar10 FOLDER -o cifar10.h5
#
# CIFAR10_URL names another place to fetch from (a mirror, or file:///... with curl). The sum is
# checked all the same. An archive that already lies in FOLDER is not fetched again.
set -eu
url=${CIFAR10_URL:-https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz}
md5=c32a1d4ab5d03f1284b67883e8d87530
archive=cifar-10-binary.tar.gz

fail() { echo "fetch-cifar10: $*" >&2; exit 4; }

if [ $# -ne 1 ] || [ "$1" = -h ] || [ "$1" = --help ]; then
    sed -n '3,10s/^# \{0,1\}//p' "$0" >&2
    if [ $# -eq 1 ]; then exit 0; else exit 2; fi
fi
folder=$1
mkdir -p "$folder" || fail "cannot create folder '$folder'"
cd "$folder"

matches() { [ "$(md5sum < "$1" | cut -d ' ' -f 1)" = "$md5" ]; }

if [ -e "$archive" ] && ! matches "$archive"; then
    echo "fetch-cifar10: '$folder/$archive' is damaged; fetching it again" >&2
    rm -f "$archive"
fi
if [ ! -e "$archive" ]; then
    rm -f "$archive.partial"
    if command -v curl > /dev/null; then
        curl --fail --location --show-error --connect-timeout 20 --retry 2 \
            --output "$archive.partial" "$url" ||
            { rm -f "$archive.partial"; fail "cannot fetch '$url'; is there a network?"; }
    elif command -v wget > /dev/null; then
        wget --timeout=20 --tries=3 -O "$archive.partial" "$url" ||
            { rm -f "$archive.partial"; fail "cannot fetch '$url'; is there a network?"; }
    else
        fail "neither curl nor wget is installed"
    fi
    if ! matches "$archive.partial"; then
        rm -f "$archive.partial"
        fail "what came from '$url' is not the official archive: its MD5 sum is not $md5"
    fi
    mv "$archive.partial" "$archive"
fi
tar -xzf "$archive" || fail "cannot unpack '$folder/$archive'"
echo "$folder/cifar-10-batches-bin"
