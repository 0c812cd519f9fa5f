# SPDX-License-Identifier: Apache-2.0
# Unknown options, counts of nothing and probabilities that no parameters reach.
. "$LUTRA_ROOT/tests/cli/errors/refuse.inc"
. "$LUTRA_ROOT/tests/cli/verify/tiny.inc"
for command in dataset train evaluate compile inspect simulate verify params experiment; do
    code=0; "$LUTRA" $command --bogus > stdout.txt 2> stderr.txt || code=$?
    [ "$code" = 2 ]
    [ ! -s stdout.txt ]
    grep -q "^lutra $command: .*'--bogus'" stderr.txt
    # the hint names options that exist
    for option in $(grep -o -e '--[a-z]*' stderr.txt | grep -v bogus); do
        "$LUTRA" $command $option > /dev/null
    done
    refused 2 "'0' for '--threads'" $command --threads 0
    refused 2 "'x' for '--seed'" $command --seed x
    refused 2 "'sse' for '--cpu'" $command --cpu sse
done
refused 2 "'0' for '--limit'" evaluate m.h5 --data d.h5 --limit 0
refused 2 "'0' for '--limit'" simulate c.h5 --data d.h5 --limit 0
refused 2 "'0' for '--limit-train'" train net.ini --data d.h5 --limit-train 0 -o x.h5
refused 2 "'0' for '--calibration'" compile m.h5 --data d.h5 --calibration 0 -o x.h5
refused 2 "'0' for '--count'" dataset show d.h5 --count 0 -o x.png
# a table too wide for any parameters: refused if a probability was asked for, else told
sed -e 's/0\.\.3/0..31/' -e 's,1/3,1/31,' -e 's/-1\.\.1/-127..127/' \
    -e 's/weight_scale = fixed/weight_scale = max/' net.ini > wide.ini
"$LUTRA" train wide.ini --data d.h5 --threads 1 -q -o w.h5 > /dev/null
why="the table of 'a' reads 1[0-9] bits after weights of norm [0-9.]*; '--rounding [0-9]*' would do"
refused 3 "no crypto parameters for p_error 1e-09: $why" \
    compile w.h5 --data d.h5 --p-error 1e-9 -o x.h5
refused 3 "no crypto parameters for p_error [0-9.e-]*: $why" \
    compile w.h5 --data d.h5 --global-p-error 1e-9 -o x.h5
"$LUTRA" compile w.h5 --data d.h5 -o w-c.h5 > stdout.txt 2> stderr.txt
[ "$(wc -l < stderr.txt)" = 1 ]
grep -q "$why; the circuit is written without parameters" stderr.txt
"$LUTRA" sweep w.h5 --data d.h5 --rounding none --p-error 1e-9 -o wide > stdout.txt 2> stderr.txt
grep -q "rounding none: no crypto parameters for p_error 1e-09: $why" stderr.txt
"$LUTRA" simulate w-c.h5 --data d.h5 > stdout.txt
