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
# another processor rounds gradients otherwise and trains another model: the intervals, which know of
# images only, then miss a few figures (on one processor: 2 in single precision, 3 in eight bits)
moved=$(sed -n 's/^[0-9]* figures compared, \([0-9]*\) moved.*/\1/p' compare.txt)
if [ "$code" != 0 ] && [ "${moved:-99}" -gt 6 ]; then
    grep -A4 '^MOVED' compare.txt >&2
    exit 1
fi
