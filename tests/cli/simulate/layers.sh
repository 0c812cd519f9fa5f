# SPDX-License-Identifier: Apache-2.0
# Histograms of what tables read: three files, the same on every number of threads and in every
# mode, never over older ones; the same figures in --json.
. "$LUTRA_ROOT/tests/cli/simulate/tiny.inc"
"$LUTRA" simulate c.h5 --data d.h5 --threads 1 --layers one --json > one.json
"$LUTRA" simulate c.h5 --data d.h5 --threads 2 --cpu ref --layers two -q
"$LUTRA" simulate c.h5 --data d.h5 --mode torus --layers torus -q > /dev/null
for file in layers.csv layers.h5 layers.png; do
    cmp one/$file two/$file
    cmp one/$file torus/$file
done
[ "$(head -c 4 one/layers.png | tail -c 3)" = PNG ]
[ "$(wc -l < one/layers.csv)" = 3 ]
# 32 images; the table has 4 x 3 x 3 elements, the output 2; all channels of a table have results
column() { awk -F, -v name="$1" -v row="$2" \
    'NR == 1 {for (i = 1; i <= NF; i++) if ($i == name) at = i} NR == row {print $at}' one/layers.csv; }
[ "$(column values_read 2)" = 1152 ]
[ "$(column values_read 3)" = 64 ]
[ "$(column reads 3)" = f ]
awk -v near="$(column near_edge_share 2)" -v entropy="$(column result_entropy_bits 2)" \
    'BEGIN {exit near >= 0 && near <= 1 && entropy > 0 && entropy < 3 ? 0 : 1}'
key() { sed -n 's/^[[:space:]]*"'"$1"'":[[:space:]]*\([^,]*\),*/\1/p' one.json; }
[ "$(key values_read | tr '\n' ' ')" = '1152 64 ' ]
[ "$(key near_edge_share | wc -l)" = 2 ]
awk -v csv="$(column expected_changed_per_image 2)" \
    -v json="$(key expected_changed_lookups_per_image | tail -2 | head -1)" \
    'BEGIN {d = csv - json; exit d * d <= 1e-16 * json * json ? 0 : 1}'
# with noise the histograms stay those of clear values; the only table alone is all the noise
"$LUTRA" simulate c.h5 --data d.h5 --mode noisy --layers noisy --json > noisy.json
"$LUTRA" simulate c.h5 --data d.h5 --mode noisy --threads 2 --layers noisy2 -q \
    --predictions with.csv > /dev/null
"$LUTRA" simulate c.h5 --data d.h5 -q --predictions without.csv > /dev/null
cmp one/layers.h5 noisy/layers.h5
cmp one/layers.png noisy/layers.png
cmp noisy/layers.csv noisy2/layers.csv
cut -d, -f1-17 one/layers.csv > one.csv
cut -d, -f1-17 noisy/layers.csv | cmp one.csv -
value() { sed -n 's/^[[:space:]]*"'"$1"'":[[:space:]]*\([^,]*\),*/\1/p' noisy.json; }
[ -n "$(value top1_alone)" ]
[ "$(value top1_alone)" = "$(value top1)" ]
changed=$(paste -d, without.csv with.csv | awk -F, 'NR > 1 && $3 != $7 {n++} END {print n + 0}')
[ "$changed" -gt 0 ]
awk -v share="$(value answers_changed_alone)" -v changed="$changed" \
    'BEGIN {exit share * 32 == changed ? 0 : 1}'
code=0; "$LUTRA" simulate c.h5 --data d.h5 --layers one || code=$?
[ "$code" = 2 ]
"$LUTRA" simulate c.h5 --data d.h5 --limit 5 --layers one --force -q > /dev/null
[ "$(column values_read 3)" = 10 ]
