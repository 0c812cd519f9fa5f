# SPDX-License-Identifier: Apache-2.0
# A search goes on where it stands and ends as if it had never stopped; runs of another search are
# never mixed in; Ctrl-C keeps what is finished.
. "$LUTRA_ROOT/tests/cli/search/two.inc"
small="--held-out 48 --images 16 --bits 4,3,2 --p-error 1e-1,1e-3 --budget 100"
search() { # CODE ARGUMENT...
    expected=$1; shift; code=0
    "$LUTRA" search m.h5 --data d.h5 -q "$@" > out.txt 2> err.txt || code=$?
    [ "$code" = "$expected" ] || { echo "search $*: exit $code" >&2; cat err.txt >&2; exit 1; }
}
refused() { # CODE PATTERN ARGUMENT...: and the table stays as it is
    expected=$1; pattern=$2; shift 2
    cp s/search.csv before.csv
    search "$expected" "$@" -o s
    [ ! -s out.txt ] && [ "$(wc -l < err.txt)" = 1 ] &&
        grep -q -e "^lutra search: .*$pattern" err.txt && cmp before.csv s/search.csv ||
        { echo "search $*" >&2; cat err.txt >&2; exit 1; }
}
search 0 $small -o s
cp s/search.csv whole.csv
refused 2 "'s/search.csv' exists; give --resume to go on with it or --force" $small
head -9 whole.csv > s/search.csv
search 0 $small --resume -o s
cut -d, -f 1-12,14-28 whole.csv > a.csv; cut -d, -f 1-12,14-28 s/search.csv > b.csv; cmp a.csv b.csv
head -9 s/search.csv > c.csv; head -9 whole.csv | cmp - c.csv # seconds and all
search 0 $small --resume --budget 50 -o s # runs serve for another budget
search 0 $small --force -o s
for other in '--seed 2' '--held-out 47' '--images 15' '--security 128'; do
    refused 2 "another folder" $small --resume $other
done
refused 2 "give one of them" $small --resume --force
sed '3s/,all,/,nobody,/' whole.csv > s/search.csv
refused 3 "line 3 is not a row" $small --resume
awk -F, -v OFS=, 'NR == 2 {$9 = 17} 1' whole.csv > s/search.csv
refused 3 "line 2 is not a row" $small --resume # 17 hits of 16 images
awk -F, -v OFS=, 'NR == 2 {$10 = 16} 1' whole.csv > s/search.csv
refused 3 "line 2 is not a row" $small --resume # as many only the other answers, and hits
awk -F, -v OFS=, 'NR == 2 {$3 = "4 4 4"} 1' whole.csv > s/search.csv
refused 3 "line 2 is not a row" $small --resume
echo hello > s/search.csv
refused 3 "is not the table of a search" $small --resume
# Ctrl-C
"$LUTRA" search m.h5 --data d.h5 -q --held-out 48 --images 16 \
    --p-error 0.5,0.4,0.3,0.2,0.1,5e-2,2e-2,1e-2,5e-3,2e-3,1e-3,1e-4,1e-5,1e-6,1e-7,1e-8 \
    --offsets none,align,centre --rounding-mode approximate,exact -o stopped > out.txt 2> err.txt &
for wait in 1 2 3 4 5 6 7 8 9 10; do
    [ ! -e stopped/search.csv ] || break
    sleep 0.2
done
kill -INT $!
code=0; wait $! || code=$?
[ "$code" = 130 ]
grep -q '^lutra search: stopped after' err.txt
[ "$(wc -l < stopped/search.csv)" -ge 2 ]
[ ! -e stopped/circuit.h5 ] && [ -z "$(ls stopped | grep partial || true)" ]
