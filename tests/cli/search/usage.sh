# SPDX-License-Identifier: Apache-2.0
# Each of these is refused in one line on stderr alone, and nothing is made.
refused() { # CODE PATTERN ARGUMENT...
    expected=$1; pattern=$2; shift 2
    code=0; "$LUTRA" search "$@" > out.txt 2> err.txt || code=$?
    [ "$code" = "$expected" ] && [ ! -s out.txt ] && [ ! -e x ] && [ "$(wc -l < err.txt)" = 1 ] &&
        grep -q -e "^lutra search: .*$pattern" err.txt ||
        { echo "search $*: exit $code, expected $expected" >&2; cat err.txt >&2; exit 1; }
}
run="m.h5 --data d.h5 -o x"
for value in 0 17 x '' 4, ,4 4,,5 6.5 none 4,5,4; do refused 2 "'--bits'" $run --bits "$value"; done
refused 2 "'--bits'" $run --bits 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,1
for value in center '' none, align,align; do refused 2 "'--offsets'" $run --offsets "$value"; done
for value in round '' exact,exact; do
    refused 2 "'--rounding-mode'" $run --rounding-mode "$value"
done
for value in 0 1 x -1 nan 1e-2, 1e-2,0.01; do refused 2 "'--p-error'" $run --p-error "$value"; done
for value in 0 1 x; do refused 2 "'--global-p-error'" $run --global-p-error $value; done
refused 2 "give one of '--p-error'" $run --p-error 1e-2 --global-p-error 1e-2
for value in -1 101 x nan; do refused 2 "'--budget'" $run --budget $value; done
for value in 0 1 x; do refused 2 "'--held-out'" $run --held-out $value; done
for value in 0 x; do refused 2 "'--images'" $run --images $value; done
refused 2 "'--security'" $run --security 100
refused 2 "'--partition'" $run --partition each
refused 2 "needs a circuit or model file" --data d.h5 -o x
refused 2 "needs --data" m.h5 -o x
refused 2 "needs -o DIR" m.h5 --data d.h5
refused 2 "one circuit or model, but found 'b.h5'" $run b.h5
refused 4 "'m.h5'" $run
. "$LUTRA_ROOT/tests/cli/simulate/tiny.inc"
"$LUTRA" compile m.h5 --data d.h5 -q -o plain.h5 > compile.txt
refused 2 "leaves none of the 64 training images" $run --held-out 64
refused 2 "'--images' 20 of 20" $run --held-out 20 --images 20
refused 2 "needs the model it was made from" plain.h5 --data d.h5 -o x --offsets align
refused 3 "is rounded already" c.h5 --data d.h5 -o x
refused 4 "'none.h5'" m.h5 --data none.h5 -o x
"$LUTRA" search --help > help.txt
grep -q '  lutra search model.h5 --data cifar10.h5 -o search' help.txt
