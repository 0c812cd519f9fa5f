# SPDX-License-Identifier: Apache-2.0
# Each of these is refused in one line on stderr alone, and nothing is made.
refused() { # CODE PATTERN ARGUMENT...
    expected=$1; pattern=$2; shift 2
    code=0; "$LUTRA" sweep "$@" -o x > out.txt 2> err.txt || code=$?
    [ "$code" = "$expected" ] && [ ! -s out.txt ] && [ ! -e x ] && [ "$(wc -l < err.txt)" = 1 ] &&
        grep -q -e "^lutra sweep: .*$pattern" err.txt ||
        { echo "sweep $*: exit $code, expected $expected" >&2; cat err.txt >&2; exit 1; }
}
run="c.h5 --data d.h5"
for value in 0 17 x '' 4, ,4 4,,5 6.5 None; do refused 2 "'--rounding'" $run --rounding "$value"; done
refused 2 "'--rounding'" $run --rounding "$(yes 4 | head -33 | paste -s -d,)"
for value in center '' none,; do refused 2 "'--offsets'" $run --rounding 4 --offsets "$value"; done
for value in 0 1 x -1 nan 1e-2,; do
    refused 2 "'--p-error'" $run --rounding 4 --p-error "$value"
done
for value in 0 x; do refused 2 "'--repeats'" $run --rounding 4 --repeats $value; done
refused 2 "'--rounding-mode'" $run --rounding 4 --rounding-mode sharp
refused 2 "'--security'" $run --rounding 4 --security 127
refused 2 "'--partition'" $run --rounding 4 --partition each
refused 2 "needs --rounding" $run
refused 2 "needs --data" c.h5 --rounding 4
refused 2 "needs a circuit or model" --data d.h5 --rounding 4
refused 2 "but found 'e.h5'" $run e.h5 --rounding 4
code=0; "$LUTRA" sweep $run --rounding 4 > out.txt 2> err.txt || code=$?
[ "$code" = 2 ]
grep -q 'needs -o DIR' err.txt
. "$LUTRA_ROOT/tests/cli/simulate/tiny.inc"
"$LUTRA" compile m.h5 --data d.h5 -q -o plain.h5 > compile.txt
refused 3 "circuit 'net' is rounded already ('a_round'); only a circuit that was compiled without" \
    $run --rounding 4
refused 2 "'plain.h5' is a circuit; '--offsets' needs the model" plain.h5 --data d.h5 --rounding 4 \
    --offsets none,align
refused 4 "missing.h5" missing.h5 --data d.h5 --rounding 4
refused 4 "missing.h5" plain.h5 --data missing.h5 --rounding 4
refused 3 "d.h5" d.h5 --data d.h5 --rounding 4
refused 3 "plain.h5" plain.h5 --data plain.h5 --rounding 4
printf 'precious' > kept
code=0; "$LUTRA" sweep plain.h5 --data d.h5 --rounding 4 -o kept > out.txt 2> err.txt || code=$?
[ "$code" = 4 ]
[ ! -s out.txt ]
[ "$(cat kept)" = precious ]
