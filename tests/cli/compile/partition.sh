# SPDX-License-Identifier: Apache-2.0
# A set of crypto parameters for each width that tables read, in every command that knows of them.
. "$LUTRA_ROOT/tests/cli/search/two.inc"
key() { sed -n 's/^[[:space:]]*"'"$1"'":[[:space:]]*\([^,]*\),*/\1/p' "$2"; }
total() { key "$1" "$2" | tail -1; }
for rule in none width norm; do
    "$LUTRA" compile m.h5 --data d.h5 --rounding 6,2 --p-error 1e-2 --partition $rule -q --json \
        -o $rule.h5 > $rule.json
    [ "$(key partition $rule.json)" = "\"$rule\"" ]
done
for rule in width norm; do
    [ "$(key lwe_dim $rule.json | wc -l)" = 2 ]
    [ "$(key noise_model $rule.json | sort -u)" = '"tfhe-rs"' ]
    awk -v cost="$(total lookup_operations $rule.json)" \
        -v single="$(total single_set_lookup_operations $rule.json)" \
        -v one="$(total lookup_operations none.json)" \
        'BEGIN {exit cost > 0 && cost < single && single == one ? 0 : 1}'
done
[ "$(key lwe_dim none.json | wc -l)" = 1 ]
# keys of the sets, keyswitches from set to set among them, are all keys
"$LUTRA" inspect width.h5 --json -q > inspect.json
awk -v sets="$(key bootstrap_key_bytes inspect.json; key keyswitch_key_bytes inspect.json)" \
    -v all="$(total key_bytes inspect.json)" \
    'BEGIN {n = split(sets, each, "\n"); for (i in each) sum += each[i]
            exit n == 4 && sum == all ? 0 : 1}'
"$LUTRA" inspect width.h5 -q > inspect.txt
grep -q '^set 1 of 2  a$' inspect.txt
grep -q '^set 2 of 2  b$' inspect.txt
[ "$(grep -c '^security    concrete, .* 132 bits, 2025-06-16; noise model tfhe-rs$' inspect.txt)" = 2 ]
# noise: both kinds draw with the set of each table, and say which
for noise in lookups sources; do
    "$LUTRA" simulate width.h5 --data d.h5 --mode noisy --noise $noise --json > $noise.json \
        2> said.txt
    [ "$(key lwe_dim $noise.json)" = "$(key lwe_dim width.json)" ]
    [ "$(grep -c 'above 2^-64: not IND-CPA^D safe' said.txt)" = 1 ]
done
"$LUTRA" simulate width.h5 --data d.h5 --mode torus -q --json > torus.json
"$LUTRA" simulate width.h5 --data d.h5 -q --json > clear.json
[ -n "$(key top1 clear.json)" ]
[ "$(key top1 clear.json)" = "$(key top1 torus.json)" ]
# many settings
"$LUTRA" sweep m.h5 --data d.h5 --rounding 4,3 --p-error none,0.01 --partition width -o s \
    > sweep.txt 2> said.txt
grep -q '^security    concrete, .* 132 bits, 2025-06-16; noise model tfhe-rs$' sweep.txt
[ "$(grep -c 'above 2^-64: not IND-CPA^D safe' said.txt)" = 1 ]
awk -F, 'NR == 1 {for (i = 1; i <= NF; i++) at[$i] = i; next}
    $at["partition"] != "width" {exit 1}
    ($at["p_error"] == "") != ($at["parameter_sets"] == "") {exit 1}' s/sweep.csv
code=0; "$LUTRA" sweep m.h5 --data d.h5 --rounding 4,3 --p-error none,0.01 --resume -o s -q \
    > sweep.txt 2> said.txt || code=$?
[ "$code" = 2 ]
grep -q 'is a sweep of' said.txt
