# SPDX-License-Identifier: Apache-2.0
# Weights from a safetensors file: into a float network, on into a quantized one, and refusals.
. "$LUTRA_ROOT/tests/cli/train/tiny.inc"
cat > float.ini <<'INI'
[network]
name = float
classes = 2
[training]
epochs = 2
batch = 16
[in]
type = input
shape = 1x4x4
range = 0..1
mean = 0.5
deviation = 0.25
codes = float
[conv]
type = conv
channels = 2
kernel = 3
bias = yes
weight_codes = float
[relu]
type = activation
function = relu
codes = float
[fc]
type = linear
features = 2
bias = yes
weight_codes = float
INI
sed 's/^name = float/name = learned/
/^codes = float/a step = learned
s/^codes = float/codes = -16..15/
/^weight_codes = float/a weight_scale = max
s/^weight_codes = float/weight_codes = -15..15/' float.ini > learned.ini
weights() { # FILE ROWS: features.0 with ROWS x 1 x 3 x 3 numbers and as many biases, all 0.5
    from=$(($2 * 36))
    to=$((from + $2 * 4))
    header="{\"features.0.weight\":{\"dtype\":\"F32\",\"shape\":[$2,1,3,3],\"data_offsets\":[0,$from]},\"features.0.bias\":{\"dtype\":\"F32\",\"shape\":[$2],\"data_offsets\":[$from,$to]}}"
    printf "\\$(printf '%o' ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header" > "$1"
    i=0
    while [ $i -lt $((to / 4)) ]; do
        printf '\000\000\000\077' >> "$1"
        i=$((i + 1))
    done
}
weights good.safetensors 2
weights wide.safetensors 3
"$LUTRA" import good.safetensors float.ini -o start.h5 2> import.txt
grep "1 layers, the first 'fc', are not in 'good.safetensors' and begin at random" import.txt
"$LUTRA" train float.ini --data d.h5 --init start.h5 --set train_layers=fc -q -o head.h5
"$LUTRA" train float.ini --data d.h5 --init head.h5 -q -o all.h5 > /dev/null
"$LUTRA" train learned.ini --data d.h5 --init all.h5 --set threshold_batches=3 -q -o learned.h5 > /dev/null
"$LUTRA" evaluate learned.h5 --data d.h5 --logits one.csv > /dev/null
"$LUTRA" compile learned.h5 --data d.h5 -q -o learned-circuit.h5 > /dev/null
"$LUTRA" simulate learned-circuit.h5 --data d.h5 --logits two.csv > /dev/null
cmp one.csv two.csv
"$LUTRA" import good.safetensors learned.ini -o other.h5 --json 2> /dev/null
fails() {
    code=0
    "$LUTRA" "$@" 2>&1 || code=$?
    echo "exit $code"
}
fails import wide.safetensors float.ini -o no.h5
fails import net.ini float.ini -o no.h5
fails import good.safetensors float.ini -o start.h5
fails import good.safetensors -o no.h5
fails compile all.h5 --data d.h5 -o no.h5
fails evaluate other.h5 --data d.h5
fails train float.ini --data d.h5 --set train_layers=head -o no.h5
[ ! -e no.h5 ]
