# SPDX-License-Identifier: Apache-2.0
# Predicted costs: of the built-in profile, of the user's own, of one that is named; bad ones are
# refused; a circuit without crypto parameters has none.
. "$LUTRA_ROOT/tests/cli/simulate/tiny.inc"
key() { sed -n 's/^[[:space:]]*"'"$1"'":[[:space:]]*\([^,]*\),*/\1/p' "$2"; }
XDG_CONFIG_HOME=$(pwd)/config
export XDG_CONFIG_HOME
"$LUTRA" inspect c.h5 --threads 1 --json > builtin.json
[ "$(key calibrated builtin.json)" = false ]
[ "$(key profile builtin.json)" = null ]
"$LUTRA" inspect c.h5 --threads 1 > builtin.txt
grep -q '^machine  *estimated for an AMD Zen 4 core (AVX-512); run lutra bench --calibrate$' builtin.txt
grep -q '^predicted  *[0-9.]* m*s per image with 1 thread, [0-9.]* core-seconds$' builtin.txt
[ "$(awk 'length > 100' builtin.txt | wc -l)" = 0 ]
# the layers make up the total: the last predicted_seconds, after the layers
key predicted_seconds builtin.json | awk '
    {sum += last; last = $1; n++}
    END {exit n > 3 && last > 0 && sum / last > 0.999999 && sum / last < 1.000001 ? 0 : 1}'
# bytes of the keys and of the ciphertexts of image (16) and convolution (4 x 3 x 3)
awk -v words="$(($(key glwe_dim builtin.json) * (1 << $(key log2_poly builtin.json)) + 1))" \
    -v alive="$(key predicted_ciphertext_bytes builtin.json)" \
    -v keys="$(key key_bytes builtin.json | tail -1)" \
    -v all="$(key predicted_memory_bytes builtin.json)" \
    'BEGIN {exit alive == (16 + 36) * words * 8 && all == keys + alive ? 0 : 1}'
# a machine that takes ten times as long for everything
cat > slow.ini <<'INI'
[machine]
cpu = a slow one
threads = 1
backend = none
version = 0
date = 2000-01-01
[core_seconds]
keyswitch = 1e-9
keyswitch_key = 1e-9
key_byte = 1e-9
encryption = 1e-9
addition = 1e-9
multiplication = 1e-9
streaming = 1e-9
[alone]
bootstrap = 1
linear = 1
[bootstrap_level_1]
log2_poly_11 = 1e-9
[bootstrap_level_2]
log2_poly_11 = 1e-9
[bootstrap_key]
log2_poly_11 = 1e-9
INI
sed 's/1e-9/1e-8/' slow.ini > slower.ini
"$LUTRA" inspect c.h5 --profile slow.ini --json > slow.json
"$LUTRA" inspect c.h5 --profile slower.ini --json > slower.json
for seconds in predicted_seconds predicted_core_seconds predicted_keygen_seconds \
    predicted_encrypt_seconds predicted_linear_core_seconds; do
    awk -v a="$(key $seconds slow.json | tail -1)" -v b="$(key $seconds slower.json | tail -1)" \
        'BEGIN {exit a > 0 && b / a > 9.9999 && b / a < 10.0001 ? 0 : 1}'
done
mkdir -p config/lutra
cp slow.ini config/lutra/profile.ini
"$LUTRA" inspect c.h5 --json > own.json
[ "$(key predicted_seconds own.json)" = "$(key predicted_seconds slow.json)" ]
[ "$(key calibrated own.json)" = true ]
"$LUTRA" inspect c.h5 | grep -q '^machine  *calibrated on a slow one (2000-01-01, /.*/lutra/profile.ini)$'
# a relative folder is none; then HOME counts
code=0; XDG_CONFIG_HOME=config HOME=/nonexistent "$LUTRA" inspect c.h5 --json > none.json
[ "$(key calibrated none.json)" = false ]
sed 's/^threads = 1/threads = x/' slow.ini > config/lutra/profile.ini
for arguments in '' '--profile none.ini'; do
    code=0; "$LUTRA" inspect c.h5 $arguments > bad.txt 2> bad.err || code=$?
    [ ! -s bad.txt ]
    [ "$(wc -l < bad.err)" = 1 ]
    case $arguments in
        '') [ "$code" = 3 ] && grep -q "profile.ini:3: invalid value 'x' for 'threads'" bad.err ;;
        *) [ "$code" = 4 ] && grep -q "none.ini" bad.err ;;
    esac
done
rm config/lutra/profile.ini
"$LUTRA" compile m.h5 --data d.h5 --clear-layers c..a -q -o clear.h5 > compile.txt
"$LUTRA" inspect clear.h5 --json > clear.json
[ "$(key predicted_seconds clear.json | sort -u)" = null ]
"$LUTRA" inspect clear.h5 > clear.txt
if grep -q 'predicted' clear.txt; then exit 1; fi
