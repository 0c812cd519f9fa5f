# SPDX-License-Identifier: Apache-2.0
# A calibration of one polynomial size writes a profile that inspect and verify use.
for bad in '--calibrate kernels' '--calibrate --csv x.csv' '-o x.ini' \
    '--calibrate --log2-poly 7..8' '--calibrate --log2-poly 9..8' '--calibrate --log2-poly 8'; do
    code=0; "$LUTRA" bench $bad > printed.txt 2> said.txt || code=$?
    [ "$code" = 2 ]
    [ ! -s printed.txt ]
    [ "$(wc -l < said.txt)" -le 2 ]
done
XDG_CONFIG_HOME=$(pwd)/config
export XDG_CONFIG_HOME
code=0
"$LUTRA" bench --calibrate --log2-poly 8..8 --no-progress > text.txt 2> said.txt || code=$?
if [ "$code" = 4 ] && grep -q 'no real FHE' said.txt; then
    [ ! -e config ]
    echo 'built without the bridge to real FHE' >&2; exit 77
fi
[ "$code" = 0 ]
cmp text.txt config/lutra/profile.ini
[ "$(grep -c '^log2_poly_8 = ' text.txt)" = 3 ]
[ "$(grep -c '^log2_poly' text.txt)" = 3 ]
code=0; "$LUTRA" bench --calibrate > again.txt 2> said.txt || code=$?
[ "$code" = 2 ]
[ ! -s again.txt ]
grep -q "profile.ini' exists; give --force" said.txt
. "$LUTRA_ROOT/tests/cli/verify/tiny.inc"
"$LUTRA" inspect c.h5 | grep -q "^machine  *calibrated on .*config/lutra/profile.ini)"
"$LUTRA" verify c.h5 --data d.h5 -q --json > v.json
key() { sed -n 's/^[[:space:]]*"'"$1"'":[[:space:]]*\([^,]*\),*/\1/p' "$2" | head -1; }
for seconds in predicted_run_seconds predicted_keygen_seconds; do
    awk -v s="$(key $seconds v.json)" 'BEGIN {exit s > 0 && s < 100 ? 0 : 1}'
done
"$LUTRA" verify c.h5 --data d.h5 -q | grep -q '^predicted  *[0-9.]* s keygen, [0-9.]* s encryption, [0-9.]* s run, '
