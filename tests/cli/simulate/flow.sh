# SPDX-License-Identifier: Apache-2.0
# A tiny circuit on its data: figures, files beside them, the same answers on every number of
# threads and instruction set, and --strict.
. "$LUTRA_ROOT/tests/cli/simulate/tiny.inc"
key() { sed -n 's/^[[:space:]]*"'"$1"'":[[:space:]]*\([^,]*\),*/\1/p' "$2" | head -1; }
"$LUTRA" simulate c.h5 --data d.h5 --threads 1 --json --logits l1.csv --predictions p1.csv > one.txt
"$LUTRA" simulate c.h5 --data d.h5 --threads 2 --cpu ref --json --logits l2.csv \
    --predictions p2.csv > two.txt
cmp l1.csv l2.csv
cmp p1.csv p2.csv
for k in schema mode split images top1 top5 out_of_range; do
    [ -n "$(key $k one.txt)" ]
    [ "$(key $k one.txt)" = "$(key $k two.txt)" ]
done
[ "$(key images one.txt)" = 32 ]
[ "$(wc -l < p1.csv)" = 33 ]
[ "$(head -1 p1.csv)" = image,label,predicted,correct ]
[ "$(head -1 l1.csv)" = image,label,logit_0,logit_1 ]
hits=$(awk -F, 'NR > 1 && $4 == 1 {n++} END {print n + 0}' p1.csv)
awk -v hits="$hits" -v top1="$(key top1 one.txt)" 'BEGIN {exit hits / 32 == top1 ? 0 : 1}'
"$LUTRA" simulate c.h5 --data d.h5 --split train --limit 5 --confusion confusion.png
[ "$(head -c 4 confusion.png | tail -c 3)" = PNG ]
code=0; "$LUTRA" simulate c.h5 --data d.h5 --predictions p1.csv || code=$?
[ "$code" = 2 ]
"$LUTRA" simulate c.h5 --data d.h5 --predictions p1.csv --force > /dev/null
# without noise the torus computes the same, as long as every value stays in its range
"$LUTRA" simulate c.h5 --data d.h5 --mode torus --threads 2 --json --logits lt.csv > torus.txt
"$LUTRA" simulate c.h5 --data d.h5 --mode torus --threads 1 --json --logits lu.csv > torus1.txt
[ "$(key mode torus.txt)" = '"torus"' ]
[ "$(key out_of_range torus.txt)" = "$(key out_of_range torus1.txt)" ]
cmp lt.csv lu.csv
if [ "$(key out_of_range torus.txt)" = 0 ]; then cmp l1.csv lt.csv; fi
# draws of noise depend on neither threads nor instruction set
"$LUTRA" simulate c.h5 --data d.h5 --mode noisy --threads 2 --json --logits ln.csv > noisy.txt
"$LUTRA" simulate c.h5 --data d.h5 --mode noisy --threads 1 --cpu ref --logits lm.csv > /dev/null
[ "$(key mode noisy.txt)" = '"noisy"' ]
cmp ln.csv lm.csv
"$LUTRA" simulate c.h5 --data d.h5 --mode noisy --repeats 3 --seed 7 --json > repeats.txt
[ "$(key repeats repeats.txt)" = 3 ]
[ "$(key kind repeats.txt)" = '"lookups"' ]
"$LUTRA" simulate c.h5 --data d.h5 --mode noisy --noise sources --noise-rounding separate \
    --noise-model concrete --limit 4 > sources.txt
grep -q '^noise       drawn at every source, rounded separately, concrete model' sources.txt
"$LUTRA" simulate c.h5 --data d.h5 --mode noisy --noise p-error=0.25 --json > plain.txt
awk -v n="$(key displaced_per_image plain.txt)" 'BEGIN {exit n > 1 ? 0 : 1}'
# without noise: the torus' own answers
"$LUTRA" simulate c.h5 --data d.h5 --mode noisy --noise p-error=0 --logits lz.csv > /dev/null
cmp lt.csv lz.csv
code=0; "$LUTRA" simulate c.h5 --data d.h5 --noise sources || code=$?
[ "$code" = 2 ]
code=0; "$LUTRA" simulate c.h5 --data d.h5 --mode noisy --noise p-error=1.5 || code=$?
[ "$code" = 2 ]
code=0; "$LUTRA" simulate d.h5 --data d.h5 || code=$?
[ "$code" = 3 ]
code=0; "$LUTRA" simulate missing.h5 --data d.h5 || code=$?
[ "$code" = 4 ]
