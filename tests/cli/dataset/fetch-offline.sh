# SPDX-License-Identifier: Apache-2.0
# Without a network, or with a wrong archive, the fetch script says so and leaves nothing.
command -v curl > /dev/null || { echo 'curl is not installed' >&2; exit 77; }
echo junk > junk.tar.gz
code=0
CIFAR10_URL="file://$(pwd)/missing.tar.gz" "$LUTRA_ROOT/scripts/fetch-cifar10.sh" there || code=$?
[ "$code" = 4 ]
code=0
CIFAR10_URL="file://$(pwd)/junk.tar.gz" "$LUTRA_ROOT/scripts/fetch-cifar10.sh" there || code=$?
[ "$code" = 4 ]
ls -A there
