# SPDX-License-Identifier: Apache-2.0
# Bad input and bad places: one sentence each, the right code, nothing left behind.
check() { # EXPECTED_CODE ARGUMENT...
    expected=$1; shift
    code=0; "$LUTRA" dataset "$@" || code=$?
    [ "$code" = "$expected" ] || { echo "code $code for: $*"; exit 1; }
}
mkdir cifar empty
printf 'short' > cifar/data_batch_1.bin
: > nothing.h5
printf 'text' > text.h5
check 3 import cifar10 cifar -o x.h5
check 4 import cifar10 empty -o x.h5
check 4 import idx empty -o x.h5
mkdir -p pngs/train
check 3 import png pngs -o x.h5
check 4 import idx missing -o x.h5
check 4 import idx empty -o missing/x.h5
check 4 info missing.h5
check 3 info nothing.h5
check 3 info text.h5
check 3 show text.h5 -o x.png
ls
