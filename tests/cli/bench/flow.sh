# SPDX-License-Identifier: Apache-2.0
# Every group runs and names its items; a baseline passes, fails when it was faster, and is refused
# when it is none. What is measured is not looked at.
. "$LUTRA_ROOT/tests/cli/simulate/tiny.inc"
key() { sed -n 's/^[[:space:]]*"'"$1"'":[[:space:]]*\([^,]*\),*/\1/p' "$2" | head -1; }
small="--seconds 0.002 --repeats 2"
"$LUTRA" bench kernels $small --csv b.csv
[ "$(head -1 b.csv)" = item,unit,better,median,best,worst,repeats,cpu,instruction_sets ]
for item in dot-ternary16 dot-bytes16 dot-bytes32 dot-words32 steps16-2 steps16-31 steps32-2 steps32-31 pairs; do
    grep -q "^kernels.$item.ref,.*values/s,more,\|^kernels.$item.ref,GMAC/s,more," b.csv
done
"$LUTRA" bench kernels $small --cpu ref --csv r.csv > ref.txt
[ "$(grep -c '^kernels' r.csv)" = 9 ]
# equal speed, within what a busy machine may do to it
"$LUTRA" bench kernels $small --baseline b.csv --slower 1000 --json > ok.json
[ "$(key schema ok.json)" = '"lutra.bench/1"' ]
[ "$(key slower ok.json)" = 0 ]
[ "$(key baseline_cpu ok.json)" = "$(key cpu ok.json)" ]
awk -F, -v OFS=, 'NR > 1 {$4 *= 1e6; $5 *= 1e6; $6 *= 1e6} {print}' b.csv > fast.csv
code=0; "$LUTRA" bench kernels $small --cpu ref --baseline fast.csv > slow.txt || code=$?
[ "$code" = 1 ]
grep -q '^kernels.pairs.ref .* slower$' slow.txt
"$LUTRA" bench noise $small --cpu ref --csv n.csv
[ "$(grep -c '^noise\.[a-z0-9-]*\.ref,Mvalues/s,more,' n.csv)" = 3 ]
# smaller is better for times and memory
"$LUTRA" bench simulate start-up --circuit c.h5 $small --threads 2 --csv s.csv
grep -q '^simulate.file.clear.threads-1,images/s,more,' s.csv
grep -q '^simulate.file.clear.threads-2,images/s,more,' s.csv
for item in read prepare predict process; do grep -q "^start-up.$item,ms,less," s.csv; done
awk -F, -v OFS=, 'NR > 1 && $3 == "less" {$4 /= 1e6} NR > 1 && $3 == "more" {$4 /= 1e3} {print}' \
    s.csv > other.csv
sed 's/,ref[a-z0-9 ]*$/,other/' other.csv > others.csv
code=0; "$LUTRA" bench start-up --circuit c.h5 $small --baseline others.csv --json > slow.json || code=$?
[ "$code" = 1 ]
[ "$(key slower slow.json)" = 4 ]
"$LUTRA" bench train --seconds 0.001 --repeats 1 --csv t.csv > train.txt
grep -q '^train.vgg9.epoch-of-50000,s,less,' t.csv
for part in forward backward update; do grep -q "^train.vgg9.batch-of-100.$part,ms,less," t.csv; done
[ "$(grep -c '^train.vgg9.conv[1-6].weight-gradient,GMAC/s,more,' t.csv)" = 6 ]
[ "$(grep -c '^train.vgg9.conv[2-6].input-gradient,GMAC/s,more,' t.csv)" = 5 ]
[ "$(grep -c '^train.vgg9.conv[1-6].forward,GMAC/s,more,' t.csv)" = 6 ]
[ "$(grep -c '^train.lean.conv[1-4].forward,GMAC/s,more,' t.csv)" = 4 ]
grep -q '^train.lean.epoch-of-50000,s,less,' t.csv
[ "$(grep -c '^train.*.batch-of-100.[a-z]*-products,ms,less,' t.csv)" = 4 ]
# refusals
code=0; "$LUTRA" bench kernels $small --csv b.csv || code=$?
[ "$code" = 2 ]
code=0; "$LUTRA" bench training || code=$?
[ "$code" = 2 ]
code=0; "$LUTRA" bench kernels --baseline missing.csv || code=$?
[ "$code" = 4 ]
code=0; "$LUTRA" bench kernels --baseline tiny/train-labels-idx1-ubyte || code=$?
[ "$code" = 3 ]
for damage in 's/,more,/,most,/' 's/,GMAC\/s,/,/' '3s/^\([^,]*,[^,]*,more\),[^,]*/\1,nan/' '3p' \
    '3s/^\([^,]*,[^,]*,more\),[^,]*/\1,0/'; do
    sed "$damage" b.csv > damaged.csv
    code=0; "$LUTRA" bench kernels --baseline damaged.csv || code=$?
    [ "$code" = 3 ]
done
