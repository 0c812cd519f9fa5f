# SPDX-License-Identifier: Apache-2.0
# Mistakes: what is missing, unknown or impossible is named, with what is allowed.
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
fails() {
    code=0
    "$LUTRA" "$@" 2>&1 || code=$?
    echo "exit $code"
}
fails train net.ini -o m.h5
fails train --data d.h5 -o m.h5
fails train net.ini --data d.h5 -o m.h5 --epochs 0
fails train net.ini --data d.h5 -o m.h5 --set loss=hinge
fails train net.ini --data d.h5 -o m.h5 --set epoch=3
fails train net.ini --data d.h5 -o m.h5 --set epochs
fails train net.ini --data d.h5 -o m.h5 --validation 64
fails train net.ini --data none.h5 -o m.h5
fails train none.ini --data d.h5 -o m.h5
fails train net.ini --data d.h5 -o none/m.h5
fails train net.ini --data d.h5 -o m.h5 --init d.h5
sed 's/validation = 8/validations = 8/' net.ini > typo.ini
fails train typo.ini --data d.h5 -o m.h5
sed 's/1x4x4/1x4x5/' net.ini > wide.ini
fails train wide.ini --data d.h5 -o m.h5
test ! -e m.h5
"$LUTRA" train net.ini --data d.h5 --epochs 1 -q -o m.h5 > /dev/null
fails train net.ini --data d.h5 -o m.h5
fails evaluate m.h5
fails evaluate m.h5 --data d.h5 --split validation
fails evaluate d.h5 --data d.h5
