# SPDX-License-Identifier: Apache-2.0
# Every wrong command line is a usage error with one line about what is wrong.
check() {
    code=0; "$LUTRA" dataset "$@" || code=$?
    [ "$code" = 2 ] || { echo "code $code for: $*"; exit 1; }
}
check
check exprt
check import
check import idx
check import zip folder -o x.h5
check import idx folder
check import idx folder more -o x.h5
check info
check info a.h5 --count 3
check info a.h5 -o b
check show a.h5
check show a.h5 -o b --split validation
check show a.h5 -o b --count 0
check show a.h5 -o b --name c
check info a.h5 --nonsense
