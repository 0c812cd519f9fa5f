# SPDX-License-Identifier: Apache-2.0
# Learning from a teacher with averaged weights: the choice is told, goes on like the rest, and belongs to one teacher.
. "$LUTRA_ROOT/tests/cli/train/tiny.inc"
"$LUTRA" train net.ini --data d.h5 --epochs 5 --seed 3 -q -o teacher.h5 > /dev/null
"$LUTRA" train net.ini --data d.h5 --epochs 5 --seed 4 -q -o other.h5 > /dev/null
learn() {
    "$LUTRA" train net.ini --data d.h5 --epochs 40 --set average_keep=0.9 --set views=4 "$@"
}
learn --teacher teacher.h5 --threads 1 -o whole.h5
timeout -s INT 0.03 "$LUTRA" train net.ini --data d.h5 --epochs 40 --set average_keep=0.9 --set views=4 --teacher teacher.h5 -q -o part.h5 > part.txt 2> error.txt || true
[ -s part.h5 ] && resume=--resume || resume=
learn --teacher teacher.h5 -q $resume -o part.h5 > /dev/null
learn -q -o alone.h5 > /dev/null
for model in whole part alone; do
    "$LUTRA" evaluate $model.h5 --data d.h5 --logits $model.csv > /dev/null
done
cmp whole.csv part.csv
if cmp -s whole.csv alone.csv; then exit 1; fi
learn --teacher teacher.h5 --resume --json -q -o whole.h5 > again.json # nothing left to do
grep -aq '"kept_weights": ' whole.h5
grep -aq '"teacher":.*"teacher.h5"' whole.h5
grep -cE '"weights":.*"(average|last)"' again.json
learn --teacher other.h5 --resume -q -o whole.h5 2>&1 || echo "exit $?"
learn --resume -q -o whole.h5 2>&1 || echo "exit $?"
learn --set validation=0 -q -o none.h5 2>&1 || echo "exit $?"
[ ! -e none.h5 ]
