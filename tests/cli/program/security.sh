# SPDX-License-Identifier: Apache-2.0
# Every command that shows crypto parameters names the curve with its date and level and the noise
# model, as text and as JSON, and says once what a p_error above 2^-64 means.
. "$LUTRA_ROOT/tests/cli/search/two.inc"
shows() { # COMMAND ARGUMENT...
    for format in text json; do
        option=
        [ $format = text ] || option=--json
        "$LUTRA" "$@" $option > out.txt 2> err.txt
        for pattern in 'concrete, Gaussian noise, binary keys, 132 bits, 2025-06-16' \
            'noise_*.*model.*\(tfhe-rs\|concrete\)'; do
            grep -q "$pattern" out.txt || { echo "$*: $format has no $pattern" >&2; exit 1; }
        done
        [ "$(grep -c 'above 2^-64: not IND-CPA^D safe' err.txt)" = 1 ] ||
            { echo "$*: $format does not tell of shared decryptions once" >&2; exit 1; }
    done
}
shows compile m.h5 --data d.h5 --rounding 4 --p-error 0.01 --force -o c.h5
shows inspect c.h5
shows params --precision 4 --norm 4 --p-error 1e-5 --security 132
shows params --grid --security 132
shows simulate c.h5 --data d.h5 --mode noisy
shows sweep m.h5 --data d.h5 --rounding 4 --p-error 0.01 --force -o sweep
shows search m.h5 --data d.h5 --held-out 48 --images 16 --bits 4,3 --p-error 1e-2 --budget 100 \
    --force -o search
# and none of it where nothing wrong is to be expected
"$LUTRA" compile m.h5 --data d.h5 --rounding 2 --p-error 1e-25 -o rare.h5 > out.txt 2> err.txt
[ ! -s err.txt ]
