# SPDX-License-Identifier: Apache-2.0
# Without rounding a circuit gives the model's own logits: the two files agree byte for byte, on
# both splits, for convolution, pool, bias and both kinds of weight scale.
. "$LUTRA_ROOT/tests/cli/simulate/tiny.inc"
# more than two different images: 37 bytes repeat over images of 16
for split in train:100:1024 t10k:40:512; do
    count=${split#*:}
    { printf '\0\0\10\3\0\0\0\'"${count%:*}"'\0\0\0\4\0\0\0\4'
      yes 'aZ9!mQ0~cR5%xT7a.P0(ZK~,bM!qW3^e}2|g' | head -c "${count#*:}"
    } > tiny/${split%%:*}-images-idx3-ubyte
done
"$LUTRA" dataset import idx tiny --force -q -o d.h5 > /dev/null
same() { # NETWORK.ini NAME
    "$LUTRA" train "$1" --data d.h5 --threads 1 --force -q -o "$2.h5" > /dev/null
    "$LUTRA" compile "$2.h5" --data d.h5 -q -o "$2-circuit.h5" > /dev/null
    for split in train test; do
        "$LUTRA" evaluate "$2.h5" --data d.h5 --split $split -q --logits "$2-$split-model.csv" > /dev/null
        "$LUTRA" simulate "$2-circuit.h5" --data d.h5 --split $split -q \
            --logits "$2-$split-circuit.csv" > /dev/null
        cmp "$2-$split-model.csv" "$2-$split-circuit.csv"
    done
    [ "$(wc -l < "$2-train-model.csv")" = 65 ]
    [ "$(wc -l < "$2-test-model.csv")" = 33 ]
    [ "$(sed 1d "$2-train-model.csv" | cut -d, -f3- | sort -u | wc -l)" -gt 8 ]
}
same net.ini net
sed -e '/^\[n\]$/i\
[p]\
type = average_pool\
kernel = 2\
stride = 1' -e '/^features/a\
bias = yes' -e '/^\[logits\]/,$d' net.ini > pool.ini
same pool.ini pool
# a rounded circuit answers otherwise: the comparison above can fail
"$LUTRA" compile net.h5 --data d.h5 --rounding 2 -q -o rounded.h5 > /dev/null
"$LUTRA" simulate rounded.h5 --data d.h5 -q --logits rounded.csv > /dev/null
if cmp -s rounded.csv net-test-model.csv; then exit 1; fi
