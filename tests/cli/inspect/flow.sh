# SPDX-License-Identifier: Apache-2.0
# What a circuit costs: the same look-ups in the table, in the totals and in JSON.
. "$LUTRA_ROOT/tests/cli/simulate/tiny.inc"
key() { sed -n 's/^[[:space:]]*"'"$1"'":[[:space:]]*\([^,]*\),*/\1/p' "$2" | head -1; }
"$LUTRA" inspect c.h5
"$LUTRA" inspect c.h5 --json > json.txt
[ "$(key pbs_total json.txt)" = 36 ]
[ "$(key macs_total json.txt)" = 216 ]
# keys: n (k+1)^2 l N 8 + k N l_ks (n+1) 8 bytes
awk -v n="$(key lwe_dim json.txt)" -v k="$(key glwe_dim json.txt)" \
    -v log2_poly="$(key log2_poly json.txt)" -v l="$(key pbs_level json.txt)" \
    -v l_ks="$(key ks_level json.txt)" -v bytes="$(key key_bytes json.txt)" \
    -v input="$(key input_bytes json.txt)" 'BEGIN {
        N = 2 ^ log2_poly
        keys = n * (k + 1) ^ 2 * l * N * 8 + k * N * l_ks * (n + 1) * 8
        exit keys == bytes && input == 16 * (k * N + 1) * 8 ? 0 : 1
    }'
code=0; "$LUTRA" inspect || code=$?
[ "$code" = 2 ]
code=0; "$LUTRA" inspect d.h5 || code=$?
[ "$code" = 3 ]
