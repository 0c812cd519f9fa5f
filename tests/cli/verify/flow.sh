# SPDX-License-Identifier: Apache-2.0
# Two samples on real ciphertexts answer as the simulation does; the files beside the report say so.
. "$LUTRA_ROOT/tests/cli/verify/tiny.inc"
code=0; "$LUTRA" verify c.h5 --data d.h5 --samples 2 -q --json -o v > v.json 2> v.err || code=$?
if [ "$code" = 4 ] && grep -q 'no real FHE' v.err; then
    [ ! -e v ]
    echo 'built without the bridge to real FHE' >&2; exit 77
fi
cat v.err >&2
[ "$code" = 0 ]
[ ! -s v.err ]
key() { sed -n 's/^[[:space:]]*"'"$1"'":[[:space:]]*\([^,]*\),*/\1/p' "$2" | head -1; }
[ "$(key schema v.json)" = '"lutra.verify/1"' ]
[ "$(key samples v.json)" = 2 ]
[ "$(key pbs_run v.json)" = 4 ]
[ "$(key mismatches v.json)" = 0 ]
[ "$(key strays v.json)" = 0 ]
[ "$(key logits_equal v.json)" = 2 ]
[ "$(key top1_agree v.json)" = 2 ]
[ "$(key verdict v.json)" = '"agrees"' ]
[ "$(key test_keys v.json)" = false ]
[ "$(ls v)" = "layers.csv
layers.png
logits.png
samples.csv" ]
[ "$(wc -l < v/samples.csv)" = 3 ]
[ "$(wc -l < v/layers.csv)" = 5 ]
# columns 13 and 15: logits of the clear run; 14 and 16: decrypted
"$LUTRA" simulate c.h5 --data d.h5 --limit 2 --logits l.csv -q > /dev/null
sed 1d l.csv > simulated.csv
sed 1d v/samples.csv | cut -d, -f1,2,13,15 | cmp - simulated.csv
sed 1d v/samples.csv | cut -d, -f1,2,14,16 | cmp - simulated.csv
sum() { sed 1d v/"$1" | cut -d, -f"$2" | awk '{n += $1} END {print n}'; }
[ "$(sum samples.csv 7)" = 4 ]
[ "$(sum layers.csv 4)" = 4 ]
touch file
code=0; "$LUTRA" verify c.h5 --data d.h5 -o file > again.txt 2> again.err || code=$?
[ "$code" = 4 ]
[ ! -s again.txt ]
grep -q "cannot create folder 'file'" again.err
# the same image later, as text, and a refusal to overwrite
code=0; "$LUTRA" verify c.h5 --data d.h5 -o v > again.txt 2> again.err || code=$?
[ "$code" = 2 ]
[ ! -s again.txt ]
grep -q "'v/samples.csv' exists; give --force" again.err
"$LUTRA" verify c.h5 --data d.h5 --first 1 --insecure-test-keys --no-progress --force -o v
sed 1d v/samples.csv | cut -d, -f1,2,13,15 > later.csv
sed -n 2p simulated.csv | cmp - later.csv
# the library's own bootstrap gives the same answers
"$LUTRA" verify c.h5 --data d.h5 --samples 2 --lookups tfhe-rs -q --json -o w > w.json
[ "$(key lookups v.json)" = '"lutra"' ]
[ "$(key lookups w.json)" = '"tfhe-rs"' ]
[ "$(key mismatches w.json)" = 0 ]
sed 1d w/samples.csv | cut -d, -f1,2,14,16 | cmp - simulated.csv
# chosen outputs: both tables have two, so three of each are all; the answers stay open
"$LUTRA" verify c.h5 --data d.h5 --samples 2 --neurons 3 -q --json -o n > n.json
[ "$(key neurons n.json)" = 3 ]
[ "$(key pbs_run n.json)" = 4 ]
[ "$(key mismatches n.json)" = 0 ]
[ "$(key logits_equal n.json)" = null ]
[ "$(ls n)" = "layers.csv
layers.png
neurons.csv" ]
[ "$(wc -l < n/neurons.csv)" = 5 ]
[ "$(sed 1d n/neurons.csv | awk -F, '$4 != $5' | wc -l)" = 0 ]
