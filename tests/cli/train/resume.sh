# SPDX-License-Identifier: Apache-2.0
# A training that was interrupted goes on to the file that an uninterrupted one writes, but for seconds.
. "$LUTRA_ROOT/tests/cli/train/tiny.inc"
"$LUTRA" train net.ini --data d.h5 --epochs 400 -q --threads 1 -o whole.h5 > /dev/null
code=0
timeout -s INT 0.6 "$LUTRA" train net.ini --data d.h5 --epochs 400 -q -o part.h5 > part.txt 2> error.txt || code=$?
case $code in
    130 | 124) ;; # stopped
    0) ;;         # a fast machine was done before
    *) cat error.txt; exit 1 ;;
esac
"$LUTRA" train net.ini --data d.h5 --epochs 400 -q --threads 1 --resume -o part.h5 > /dev/null 2> error.txt
for model in whole part; do
    "$LUTRA" evaluate $model.h5 --data d.h5 --logits $model.csv > /dev/null
done
cmp whole.csv part.csv
# rounding and noise change what is learned, and go on like the rest
"$LUTRA" train net.ini --data d.h5 --epochs 40 --rounding 1 --noise 0.2 -q --threads 1 -o round.h5 > /dev/null
"$LUTRA" train net.ini --data d.h5 --epochs 40 -q --threads 1 -o plain.h5 > /dev/null
timeout -s INT 0.03 "$LUTRA" train net.ini --data d.h5 --epochs 40 --rounding 1 --noise 0.2 -q -o again.h5 > part.txt 2> error.txt || true
[ -s again.h5 ] && resume=--resume || resume=
"$LUTRA" train net.ini --data d.h5 --epochs 40 --rounding 1 --noise 0.2 -q $resume -o again.h5 > /dev/null
for model in round plain again; do
    "$LUTRA" evaluate $model.h5 --data d.h5 --logits $model.csv > /dev/null
done
cmp round.csv again.csv
# p_error is noise said in another way: 0.3 cells
"$LUTRA" train net.ini --data d.h5 --epochs 40 --rounding 1 --p-error 0.1 -q -o p.h5 > /dev/null
"$LUTRA" train net.ini --data d.h5 --epochs 40 --rounding 1 --noise 0.3039784160 -q -o s.h5 > /dev/null
for model in p s; do
    "$LUTRA" evaluate $model.h5 --data d.h5 --logits $model.csv > /dev/null
done
cmp p.csv s.csv
if cmp -s round.csv plain.csv; then exit 1; fi
fails() {
    code=0
    "$LUTRA" train "$@" 2>&1 || code=$?
    echo "exit $code"
}
fails net.ini --data d.h5 --epochs 401 --resume -o part.h5
fails net.ini --data d.h5 --epochs 400 --seed 2 --resume -o part.h5
fails net.ini --data d.h5 --epochs 400 --limit-train 60 --resume -o part.h5
sed 's/^step = 1$/step = 1\/2/' net.ini > other.ini
fails other.ini --data d.h5 --epochs 400 --resume -o part.h5
sed '1i# a comment moves every line' net.ini > comment.ini
fails comment.ini --data d.h5 --epochs 400 --resume -q -o part.h5
