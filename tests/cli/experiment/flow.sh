# SPDX-License-Identifier: Apache-2.0
# A tiny noise study on real ciphertexts: its folder, its record, a refusal to overwrite, Ctrl-C.
. "$LUTRA_ROOT/tests/cli/experiment/tiny.inc"
run() { "$LUTRA" experiment run noise --settings tiny.ini --threads 2 "$@"; }
code=0; run --seed 3 -q --json -o r > r.json 2> r.err || code=$?
if [ "$code" = 4 ] && grep -q 'no real FHE' r.err; then
    [ ! -e r ]
    echo 'built without the bridge to real FHE' >&2; exit 77
fi
cat r.err >&2
[ "$code" = 0 ]
[ ! -s r.err ]
cmp r.json r/run.json
cmp tiny.ini r/configuration.ini
key() { sed -n 's/^[[:space:]]*"'"$1"'":[[:space:]]*\([^,]*\),*/\1/p' r.json | head -1; }
[ "$(key schema)" = '"lutra.experiment/1"' ]
[ "$(key experiment)" = '"noise"' ]
[ "$(key seed)" = 3 ]
[ "$(key threads)" = 2 ]
[ "$(key setting)" = '"quick"' ]
[ "$(key complete)" = true ]
[ "$(key parts_done)" = 2 ]
[ "$(key holds)" = true ]
[ "$(ls r | tr '\n' ' ')" = "configuration.ini figures.csv noise-curve.csv noise-deviation.png \
noise-failures.png noise-off-by-one.png noise-quantities.csv noise-rates.csv noise-ratio.png \
noise-sets.csv run.json " ]
rows() { grep -v '^#' "r/noise-$1.csv" | awk -F, -v n="$2" -v c="$3" \
    'NF != c {bad = 1} END {exit bad || NR != n}'; }
rows sets 3 27         # 2 sets
rows quantities 33 20  # 8 quantities of 2 sets, of 1 key and of all
rows rates 9 16        # 2 switches, 2 widths
rows curve 9 12        # 2 switches, 4 values
head -1 r/noise-sets.csv | grep -q '^# lutra [0-9.]*, tfhe-rs .*, 20[0-9-]*$'
for picture in r/*.png; do [ "$(head -c 4 "$picture" | tail -c 3)" = PNG ]; done
# the same seed draws the same keys and noise, whatever the threads; after that the Fourier
# transform rounds as it likes
run --seed 3 --threads 1 -q --json -o again > /dev/null
grep fresh r/noise-quantities.csv > fresh.csv
grep fresh again/noise-quantities.csv | cmp - fresh.csv
code=0; run -o r > refused.txt 2> refused.err || code=$?
[ "$code" = 2 ]
[ ! -s refused.txt ]
grep -q "'r/configuration.ini' exists; give --force" refused.err
# no tolerance at all: chance refutes, and says so
code=0; run --full --force --no-progress -o r || code=$?
[ "$code" = 0 ] || [ "$code" = 1 ]
# stopped: what is finished is written and says that it is not all
sed 's/outputs = 64/outputs = 65536/' tiny.ini > long.ini
"$LUTRA" experiment run noise --settings long.ini -q --json -o stopped > stopped.json 2> stopped.err &
child=$!
sleep 2
kill -INT $child
code=0; wait $child || code=$?
[ "$code" = 130 ]
[ -s stopped.err ]
grep -q '"complete":[[:space:]]*false' stopped/run.json
cmp stopped.json stopped/run.json
