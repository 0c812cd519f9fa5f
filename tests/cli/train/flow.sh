# SPDX-License-Identifier: Apache-2.0
# A training from images to logits: epoch lines, a picture, JSON, an evaluation on one and two threads.
mkdir tiny
images() { # COUNT_OCTAL BYTES: images of 4x4
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
epochs = 3
batch = 16
validation = 8
[in]
type = input
shape = 1x4x4
range = 0..1
codes = 0..15
step = 1/15
[fc1]
type = linear
features = 6
weight_codes = -1..1
weight_scale = fixed
[norm1]
type = batch_norm
[act1]
type = activation
codes = -1..1
step = 1
[fc2]
type = linear
features = 2
weight_codes = -1..1
weight_scale = fixed
[logits]
type = tensor_norm
INI
"$LUTRA" train net.ini --data d.h5 --curve curve.png -o m.h5
head -c 8 curve.png | tail -c 7 | head -c 3; echo
"$LUTRA" train net.ini --data d.h5 --epochs 2 --threads 1 --json -q -o n.h5 > n.json
grep -E '"(schema|epochs|train_images|validation_images)"' n.json
"$LUTRA" evaluate m.h5 --data d.h5 --threads 1 --logits one.csv > /dev/null
"$LUTRA" evaluate m.h5 --data d.h5 --threads 2 --logits two.csv --json > e.json
cmp one.csv two.csv
head -1 one.csv
wc -l < one.csv
grep -E '"(schema|images|split)"' e.json
"$LUTRA" evaluate m.h5 --data d.h5 --split train --limit 5
"$LUTRA" train net.ini --data d.h5 --init m.h5 --strip --set schedule=linear --epochs 1 -q -o s.h5 > /dev/null
"$LUTRA" train net.ini --data d.h5 --set schedule=linear --epochs 1 --resume -o s.h5 2> again.txt || echo "exit $?"
cat again.txt
