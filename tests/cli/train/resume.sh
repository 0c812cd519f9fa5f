# SPDX-License-Identifier: Apache-2.0
# A training that was interrupted goes on to the file that an uninterrupted one writes, but for seconds.
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
"$LUTRA" train net.ini --data d.h5 --epochs 400 -q --threads 1 -o whole.h5 > /dev/null
code=0
timeout -s INT 0.6 "$LUTRA" train net.ini --data d.h5 --epochs 400 -q -o part.h5 > part.txt 2> error.txt || code=$?
case $code in
    130 | 124) ;; # stopped
    0) ;;         # a fast machine was done before
    *) cat error.txt; exit 1 ;;
esac
"$LUTRA" train net.ini --data d.h5 --epochs 400 -q --threads 1 --resume -o part.h5 > /dev/null 2> error.txt
for model in whole part; do
    "$LUTRA" evaluate $model.h5 --data d.h5 --logits $model.csv > /dev/null
done
cmp whole.csv part.csv
fails() {
    code=0
    "$LUTRA" train "$@" 2>&1 || code=$?
    echo "exit $code"
}
fails net.ini --data d.h5 --epochs 401 --resume -o part.h5
fails net.ini --data d.h5 --epochs 400 --seed 2 --resume -o part.h5
fails net.ini --data d.h5 --epochs 400 --limit-train 60 --resume -o part.h5
sed 's/^step = 1$/step = 1\/2/' net.ini > other.ini
fails other.ini --data d.h5 --epochs 400 --resume -o part.h5
sed '1i# a comment moves every line' net.ini > comment.ini
fails comment.ini --data d.h5 --epochs 400 --resume -q -o part.h5
