# SPDX-License-Identifier: Apache-2.0
# From images to circuits: a tiny network is trained, compiled in several ways and simulated. Without
# rounding the circuit answers as the model does.
mkdir tiny
images() { # COUNT: alternating images of 4x4
    printf '\0\0\10\3\0\0\0\'"$1"'\0\0\0\4\0\0\0\4'
    yes 'aZ9!mQ0~cR5%xT7aP0(ZK~,bM!qW3^e' | head -c "$2"
}
labels() {
    printf '\0\0\10\1\0\0\0\'"$1"
    yes a | head -c "$2" | tr 'a\n' '\0\1'
}
images 100 1024 > tiny/train-images-idx3-ubyte
labels 100 64 > tiny/train-labels-idx1-ubyte
images 40 512 > tiny/t10k-images-idx3-ubyte
labels 40 32 > tiny/t10k-labels-idx1-ubyte
"$LUTRA" dataset import idx tiny -o d.h5 > dataset.txt
cat > net.ini <<'INI'
[network]
name = net
classes = 2
[training]
epochs = 2
batch = 16
validation = 0
[in]
type = input
shape = 1x4x4
range = 0..1
codes = 0..15
step = 1/15
[c]
type = conv
channels = 4
kernel = 2
weight_codes = -7..7
weight_scale = max
[n]
type = batch_norm
[a]
type = activation
codes = -2..2
step = 1/2
[f]
type = linear
features = 2
weight_codes = -1..1
weight_scale = fixed
[logits]
type = tensor_norm
INI
"$LUTRA" train net.ini --data d.h5 --threads 1 -q -o m.h5 > train.txt
"$LUTRA" compile m.h5 --data d.h5 -o plain.h5
"$LUTRA" compile m.h5 --data d.h5 --rounding 4 --offsets align --rounding-mode exact \
    --p-error 1e-4 --security 128 -o exact.h5
"$LUTRA" compile m.h5 --data d.h5 --rounding none --offsets centre --clear-layers c..a \
    -o hybrid.h5
"$LUTRA" compile m.h5 --data d.h5 --rounding 4 --p-error 0.1 -o loose.h5
"$LUTRA" compile m.h5 --data d.h5 --rounding 4 --json -o rounded.h5
"$LUTRA" compile m.h5 --data d.h5 --rounding 4 --json --threads 1 -o again.h5 > again.txt
cmp rounded.h5 again.h5
"$LUTRA" compile m.h5 --data d.h5 --rounding 2 --overflow-protection --json -o protected.h5 \
    > protected.txt
grep -q '"overflow_protected":.*true' protected.txt
grep -q '"overflow_protected":.*false' again.txt
key() { sed -n 's/^[[:space:]]*"'"$1"'":[[:space:]]*\([^,]*\),*/\1/p' "$2" | head -1; }
"$LUTRA" evaluate m.h5 --data d.h5 --json > evaluate.txt
"$LUTRA" simulate plain.h5 --data d.h5 --json > simulate.txt
[ -n "$(key top1 evaluate.txt)" ]
[ "$(key top1 evaluate.txt)" = "$(key top1 simulate.txt)" ]
code=0; "$LUTRA" compile m.h5 --data d.h5 -o plain.h5 || code=$?
[ "$code" = 2 ]
code=0; "$LUTRA" compile m.h5 --data d.h5 --rounding 4,4 -o x.h5 || code=$?
[ "$code" = 2 ]
code=0; "$LUTRA" compile m.h5 --data d.h5 --clear-layers c..nothing -o x.h5 || code=$?
[ "$code" = 2 ]
code=0; "$LUTRA" compile d.h5 --data d.h5 -o x.h5 || code=$?
[ "$code" = 3 ]
code=0; "$LUTRA" compile m.h5 --data m.h5 -o x.h5 || code=$?
[ "$code" = 3 ]
[ ! -e x.h5 ]
[ ! -e x.h5.partial ]
