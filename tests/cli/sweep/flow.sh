# SPDX-License-Identifier: Apache-2.0
# Every row of a sweep is what compile and simulate say of the same setting, from a circuit and from
# a model, on any number of threads.
. "$LUTRA_ROOT/tests/cli/simulate/tiny.inc"
key() { sed -n 's/^[[:space:]]*"'"$1"'":[[:space:]]*\([^,]*\),*/\1/p' "$2" | head -1; }
# field FILE NAME ROUNDING OFFSETS LAYER P_ERROR: a field of one row
field() {
    awk -F, -v name="$2" -v r="$3" -v o="$4" -v l="$5" -v p="$6" '
        NR == 1 {for (i = 1; i <= NF; i++) if ($i == name) at = i; columns = NF; next}
        NF != columns {print "ragged"; exit}
        $1 == r && $2 == o && $3 == l && $5 == p {print $at}' "$1"
}
figures() { cut -d, -f 1-21 "$1"; } # all but the seconds and what the rows stand for
"$LUTRA" compile m.h5 --data d.h5 -q -o plain.h5 > compile.txt
"$LUTRA" sweep plain.h5 --data d.h5 --rounding 4,none,3,1 --each-layer -o a
"$LUTRA" sweep plain.h5 --data d.h5 --rounding 4,none,3,1 --each-layer --threads 1 --cpu ref -q \
    -o b > b.txt
figures a/sweep.csv > a.csv; figures b/sweep.csv > b.csv; cmp a.csv b.csv
for picture in a/sweep.png a/layers.png; do [ "$(head -c 4 $picture | tail -c 3)" = PNG ]; done
[ "$(wc -l < a/sweep.csv)" = 8 ] # none, 4, 3, 1, and the one layer with 4, 3, 1
[ "$(field a/sweep.csv hits 3 none a '')" = "$(field a/sweep.csv hits 3 none all '')" ]
agrees() { # FOLDER ROUNDING OFFSETS P_ERROR MODE: with $circuit
    "$LUTRA" simulate $circuit --data d.h5 --mode $5 --json -q > one.txt
    hits=$(field $1/sweep.csv hits $2 $3 all "$4")
    awk -v hits="$hits" -v top1="$(key top1 one.txt)" 'BEGIN {exit hits / 32 == top1 ? 0 : 1}' &&
        [ "$(key out_of_range one.txt)" = "$(field $1/sweep.csv out_of_range $2 $3 all "$4")" ] ||
        { echo "$1: rounding $2, offsets $3: $hits hits; simulate: $(key top1 one.txt)" >&2; exit 1; }
}
for rounding in none 4 3 1; do
    circuit=r$rounding.h5
    "$LUTRA" compile m.h5 --data d.h5 --rounding $rounding -q -o $circuit > compile.txt
    agrees a $rounding none '' clear
done
"$LUTRA" sweep m.h5 --data d.h5 --rounding 3,1,none --offsets none,align,centre \
    --p-error none,1e-2 -q --json -o m > m.txt
for rounding in 3 1; do
    for offsets in none align centre; do
        circuit=r$rounding$offsets.h5
        "$LUTRA" compile m.h5 --data d.h5 --rounding $rounding --offsets $offsets --p-error 1e-2 \
            -q -o $circuit > compile.txt
        agrees m $rounding $offsets '' clear
        agrees m $rounding $offsets 0.01 noisy
    done
done
[ "$(field m/sweep.csv lwe_dim 3 none all '')" = '' ]
"$LUTRA" inspect r3none.h5 --json > inspect.txt
[ "$(field m/sweep.csv lwe_dim 3 none all 0.01)" = "$(key lwe_dim inspect.txt)" ]
[ "$(key schema m.txt)" = '"lutra.sweep/1"' ]
[ "$(key images m.txt)" = 32 ]
[ "$(grep -c '"loss_interval_95"' m.txt)" = 18 ]
# a model without noise gives the rows of its plain circuit
"$LUTRA" sweep m.h5 --data d.h5 --rounding 4,none,3,1 --each-layer -q -o c > c.txt
figures c/sweep.csv > c.csv; cmp a.csv c.csv
# loss is the difference of hits, and the same images that only one of both gets right
for rounding in 4 3 1; do
    plain=$(field a/sweep.csv hits none none all '')
    hits=$(field a/sweep.csv hits $rounding none all '')
    worse=$(field a/sweep.csv worse $rounding none all '')
    better=$(field a/sweep.csv better $rounding none all '')
    [ $((plain - hits)) = $((worse - better)) ]
done
# an exact rounding costs a look-up for each bit
"$LUTRA" sweep plain.h5 --data d.h5 --rounding 3,2 --rounding-mode exact -q -o e > e.txt
three=$(field e/sweep.csv lookups 3 none all '')
two=$(field e/sweep.csv lookups 2 none all '')
[ $((two - three)) = 36 ]
# repeats are other draws: their counts add up
"$LUTRA" sweep plain.h5 --data d.h5 --rounding 3 --p-error 1e-1 --repeats 5 -q -o r > r.txt
awk -F, 'NR > 1 && $5 == 0.1 && ($12 > 160 || $22 <= 0 || $26 != 5) {exit 1}' r/sweep.csv
