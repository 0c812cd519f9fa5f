# SPDX-License-Identifier: Apache-2.0
# A search gives what simulate says of its circuits, the same on any number of threads, writes down
# its split, and chooses nothing that it has not confirmed.
. "$LUTRA_ROOT/tests/cli/simulate/tiny.inc"
key() { sed -n 's/^[[:space:]]*"'"$1"'":[[:space:]]*\([^,]*\),*/\1/p' "$2" | head -1; }
search() { # CODE ARGUMENT...
    expected=$1; shift; code=0
    "$LUTRA" search "$@" > found.txt 2> said.txt || code=$?
    [ "$code" = "$expected" ] || { echo "search $*: exit $code" >&2; cat said.txt >&2; exit 1; }
}
figures() { cut -d, -f 1-12,14-28 "$1"; } # all but the seconds and what the rows stand for
small="--held-out 48 --images 16 --bits 4,3,2 --p-error 1e-1,1e-3"
search 0 m.h5 --data d.h5 $small --budget 100 -o a
cat found.txt
for file in search.csv pareto.csv pareto.png split.csv circuit.h5; do [ -s a/$file ]; done
[ "$(head -c 4 a/pareto.png | tail -c 3)" = PNG ]
awk -F, 'NF != 37 {exit 1}' a/search.csv
awk -F, 'NF != 37 {exit 1}' a/pareto.csv
[ "$(grep -c ',yes$' a/pareto.csv)" = 1 ]
# every training image is in one part
[ "$(tail -n +2 a/split.csv | cut -d, -f 1 | sort -n | uniq | wc -l)" = 64 ]
for part in 'calibration 16' 'selection 16' 'confirmation 32'; do
    [ "$(grep -c ",${part% *}\$" a/split.csv)" = "${part#* }" ]
done
# threads and instruction sets change nothing; a seed does
search 0 m.h5 --data d.h5 $small --budget 100 --threads 1 --cpu ref -q --json -o b
figures a/search.csv > a.csv; figures b/search.csv > b.csv; cmp a.csv b.csv
cmp a/circuit.h5 b/circuit.h5
cmp a/split.csv b/split.csv
[ "$(key schema found.txt)" = '"lutra.search/1"' ]
[ "$(key selection_images found.txt)" = 16 ]
[ "$(key confirmation_images found.txt)" = 32 ]
search 0 m.h5 --data d.h5 $small --budget 100 --seed 2 -q -o c
if cmp -s a/split.csv c/split.csv; then exit 1; fi
# the circuit has what its row says
"$LUTRA" inspect a/circuit.h5 --json > inspect.txt
lookup=$(awk -F, '/,yes$/ {print $25}' a/pareto.csv)
[ "$(key lwe_dim inspect.txt)" = "$lookup" ]
# from a circuit, and with another kind of rounding and probability
"$LUTRA" compile m.h5 --data d.h5 -q -o plain.h5 > compile.txt
search 0 plain.h5 --data d.h5 --held-out 48 --images 16 --bits 4,3 --budget 100 \
    --global-p-error 0.01 --rounding-mode exact,approximate -o p
grep -q 'was calibrated before' said.txt
[ "$(grep -c ',exact,none,,0.01,' p/search.csv)" -gt 0 ]
# plain hits of each part, hits + worse - better, are those of its images in split.csv
"$LUTRA" simulate plain.h5 --data d.h5 --split train --logits logits.csv -q > simulate.txt
for part in selection:uniform:16 confirmation:confirm:32; do
    stage=${part#*:}; stage=${stage%:*}
    expected=$(awk -F, -v part=${part%%:*} 'FNR == 1 {next}
        NR == FNR {in_part[$1] = $2 == part; next}
        in_part[$1] && (($4 > $3) == $2) {hits++} END {print hits + 0}' p/split.csv logits.csv)
    awk -F, -v stage=$stage -v images=${part##*:} -v expected=$expected '
        $1 == stage && $8 == images {rows++; if ($9 + $10 - $11 != expected) exit 1}
        $1 == stage && $8 > images {exit 1}
        END {if (rows == 0) exit 1}' p/search.csv ||
        { echo "$part: the circuit without rounding is right $expected times" >&2; exit 1; }
done
# nothing that noise and rounding do keeps a budget that 32 images could show
search 1 m.h5 --data d.h5 $small --budget 0 -o n
grep -q '^no setting was shown to lose at most 0 points$' found.txt
[ ! -e n/circuit.h5 ]
[ -s n/pareto.csv ]
