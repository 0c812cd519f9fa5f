# SPDX-License-Identifier: Apache-2.0
# A whole quick run on real data (smaller accumulators, on the stand-in), beside its stored figures.
[ -d /usr/share/datasets/fashion-mnist ] || { echo 'no Fashion-MNIST' >&2; exit 77; }
case $LUTRA in *asan*) echo 'not under a sanitizer: slow' >&2; exit 77 ;; esac
unset OPENBLAS_CORETYPE
"$LUTRA" experiment run accumulators --quick -q -o r > out.txt 2> err.txt
grep -q '^1 of 1 parts ' out.txt
code=0; "$LUTRA" experiment compare r > compare.txt || code=$?
grep -q 'STAND-IN' compare.txt
grep -q '^top-1, CIFAR-10; 8 bits$' compare.txt
# exact figures must be the stored ones, whatever the machine
grep '^look-ups of an image' "$LUTRA_ROOT/experiments/expected/accumulators-quick.csv" > then.csv
grep '^look-ups of an image' r/figures.csv | cmp - then.csv
if [ "$code" != 0 ]; then
    grep -A4 '^MOVED' compare.txt >&2
    exit 1
fi
