# SPDX-License-Identifier: Apache-2.0
# A sweep goes on where it stands, also after Ctrl-C; rows of another sweep are never mixed in.
. "$LUTRA_ROOT/tests/cli/simulate/tiny.inc"
"$LUTRA" compile m.h5 --data d.h5 -q -o plain.h5 > compile.txt
sweep() { "$LUTRA" sweep plain.h5 --data d.h5 -q "$@" > out.txt 2> err.txt; }
refused() { # CODE PATTERN ARGUMENT...: and the table stays as it is
    expected=$1; pattern=$2; shift 2
    cp s/sweep.csv before.csv
    code=0; sweep "$@" -o s || code=$?
    [ "$code" = "$expected" ] && [ ! -s out.txt ] && [ "$(wc -l < err.txt)" = 1 ] &&
        grep -q -e "^lutra sweep: .*$pattern" err.txt && cmp before.csv s/sweep.csv ||
        { echo "sweep $*: exit $code, expected $expected" >&2; cat err.txt >&2; exit 1; }
}
sweep --rounding 3,none -o s
cp s/sweep.csv first.csv
refused 2 "'s/sweep.csv' exists; give --resume to go on with it or --force" --rounding 3,2
sweep --rounding 3,2,4,none --p-error none,1e-2 --resume -o s
head -3 s/sweep.csv | cmp - first.csv # kept as they were, seconds and all
sweep --rounding none,3,2,4 --p-error none,1e-2 -o whole
cut -d, -f 1-21 s/sweep.csv | sort > s.txt
cut -d, -f 1-21 whole/sweep.csv | sort > whole.txt
cmp s.txt whole.txt
cp s/sweep.csv before.csv
sweep --rounding 3,4 --resume -o s # nothing to do
cmp s/sweep.csv before.csv
for other in '--seed 2' '--limit 31' '--split train' '--repeats 2' '--security 128'; do
    refused 2 "another folder" --rounding 2 --resume $other
done
refused 2 "give one of them" --rounding 2 --resume --force
sed '3s/,all,/,/' before.csv > s/sweep.csv
refused 3 "line 3 is not a row" --rounding 2 --resume
awk -F, -v OFS=, 'NR == 2 {$12 = 33} 1' before.csv > s/sweep.csv
refused 3 "line 2 is not a row" --rounding 2 --resume # 33 hits of 32 images
echo hello > s/sweep.csv
refused 3 "is not the table of a sweep" --rounding 2 --resume
sweep --rounding 2 --force -o s
[ "$(wc -l < s/sweep.csv)" = 3 ]
# a setting without crypto parameters has a row without figures, and is not tried again
"$LUTRA" compile m.h5 --data d.h5 --clear-layers c..a -q -o hybrid.h5 > compile.txt
"$LUTRA" sweep hybrid.h5 --data d.h5 --rounding 3 --p-error none,1e-2 -o h > out.txt 2> err.txt
grep -q '^3        none    all            0.01     no crypto parameters$' out.txt
grep -q 'rounding 3: no look-up is encrypted, so there is no p_error$' err.txt
cp h/sweep.csv first.csv
"$LUTRA" sweep hybrid.h5 --data d.h5 --rounding 3,2 --p-error none,1e-2 --resume --json -o h \
    > out.txt 2> err.txt
head -4 h/sweep.csv | cmp - first.csv
awk -F, 'NF != 34 {exit 1}' h/sweep.csv
[ "$(grep -c '"feasible":.*false' out.txt)" = 2 ]
[ "$(grep -c 'no look-up is encrypted' err.txt)" = 1 ]
# Ctrl-C: what is finished stands in the table, and nothing else is left
"$LUTRA" sweep plain.h5 --data d.h5 --rounding 3 --p-error none,1e-2 --repeats 10000 --threads 1 \
    -q -o stopped > out.txt 2> err.txt &
for wait in 1 2 3 4 5 6 7 8 9 10; do
    [ ! -e stopped/sweep.csv ] || break
    sleep 0.5
done
kill -INT $!
code=0; wait $! || code=$?
[ "$code" = 130 ]
grep -q '^lutra sweep: stopped after' err.txt
grep -q '^none ' out.txt
[ "$(wc -l < stopped/sweep.csv)" -ge 2 ]
[ -z "$(ls stopped | grep partial || true)" ]
if grep -q ',0\.01,' stopped/sweep.csv; then exit 1; fi
