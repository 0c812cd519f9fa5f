# SPDX-License-Identifier: Apache-2.0
# One image's way through the circuit: the same answer and logits as the whole split gives, every
# operation, figures that fit together; and images that are not there.
. "$LUTRA_ROOT/tests/cli/simulate/tiny.inc"
"$LUTRA" simulate c.h5 --data d.h5 -q --logits l.csv --predictions p.csv > /dev/null
"$LUTRA" simulate c.h5 --data d.h5 --explain 31
"$LUTRA" simulate c.h5 --data d.h5 --explain 31 --json > e.json
key() { sed -n 's/^[[:space:]]*"'"$1"'":[[:space:]]*\([^,]*\),*/\1/p' e.json; }
[ "$(key schema)" = '"lutra.explain/1"' ]
[ "$(key image)" = 31 ]
[ "$(key label),$(key answer)" = "$(sed -n 's/^31,\(.*\),[01]$/\1/p' p.csv)" ]
# logits stand by rank; classes put them back in order
logit() { grep -A 4 '"class":[[:space:]]*'"$1"',' e.json | sed -n 's/.*"logit":[[:space:]]*//p'; }
line=$(sed -n '33p' l.csv)
for class in 0 1; do
    awk -v a="$(logit $class)" -v b="$(echo "$line" | cut -d, -f$((class + 3)))" \
        'BEGIN {d = a - b; exit a != "" && d * d < 1e-12 * (1 + b * b) ? 0 : 1}'
done
[ "$(grep -c '"kind"' e.json)" = 5 ] # input, convolution, rounding, table, linear layer
[ "$(key bucket_steps | wc -l)" = 1 ]
# the same expectation as the statistics of a split that holds only this image
"$LUTRA" simulate c.h5 --data d.h5 --explain 0 --json > e.json
"$LUTRA" simulate c.h5 --data d.h5 --limit 1 --layers one -q > /dev/null
awk -F, -v near="$(key near_edge)" -v changed="$(key expected_changed_lookups | tail -1)" '
    NR == 1 {for (i = 1; i <= NF; i++) at[$i] = i}
    NR == 2 {n = $at["near_edge_share"] * $at["values_read"] - near # nine digits
             d = $at["expected_changed_per_image"] - changed
             exit n * n < 1e-12 && d * d <= 1e-14 * changed * changed ? 0 : 1}
    ' one/layers.csv
for wrong in 32 99999; do
    code=0; "$LUTRA" simulate c.h5 --data d.h5 --explain $wrong || code=$?
    [ "$code" = 2 ]
done
for other in --strict '--limit 3' '--layers two' '--mode torus'; do
    code=0; "$LUTRA" simulate c.h5 --data d.h5 --explain 1 $other || code=$?
    [ "$code" = 2 ]
done
code=0; "$LUTRA" simulate c.h5 --data d.h5 --explain last || code=$?
[ "$code" = 2 ]
