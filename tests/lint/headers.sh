#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every header compiles alone, and all public ones together.
set -eu
bad=0
for header in base/*.h sim/*.h quant/*.h datasets/*.h train/*.h bridge/*.h bridge/tfhe/*.h cli/*.h; do
    [ -e "$header" ] || continue
    if ! printf '#include "%s"\ntypedef int lutra_not_empty;\n' "$header" |
        cc -std=c11 -D_POSIX_C_SOURCE=200809L -I. -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
            -x c -; then
        echo "$header does not compile alone"
        bad=1
    fi
done
if ! ls base/*.h sim/*.h quant/*.h datasets/*.h train/*.h bridge/*.h | grep -v '_priv\.h$' |
    sed 's/.*/#include "&"/' |
    cc -std=c11 -D_POSIX_C_SOURCE=200809L -I. -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
        -x c -; then
    echo "the public headers do not compile together"
    bad=1
fi
exit $bad
