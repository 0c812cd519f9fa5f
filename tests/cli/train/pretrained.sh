# SPDX-License-Identifier: Apache-2.0
# The shipped models: each is read, compiled and simulated on made-up images of CIFAR-10's shape, with
# as many look-ups as its network file says.
mkdir made
for batch in data_batch_1 data_batch_2 data_batch_3 data_batch_4 data_batch_5 test_batch; do
    yes 'aZ9!mQ0~cR5_xT7aP0(ZK~,bM!qW3^e' | tr 'A-Za-z' '\0-\7\0-\7\0-\7\0-\7' |
        tr -c '\0-\7' '\3' | head -c $((12 * 3073)) > made/$batch.bin # 12 images, bytes 0 to 7
done
"$LUTRA" dataset import cifar10 made -q -o d.h5 > /dev/null
for name in vgg9 lean; do
    model=$LUTRA_ROOT/experiments/pretrained/$name.h5
    network=$LUTRA_ROOT/experiments/networks/$name.ini
    "$LUTRA" compile "$model" --data d.h5 --rounding 6 -q -o $name.c.h5 > $name.txt 2> err.txt
    counts=$(grep -o '[0-9,]* look-ups and [0-9,]* multiply-adds an image' $name.txt)
    [ -n "$counts" ]
    tr -d '\n#' < "$network" | grep -q "$counts"
    "$LUTRA" simulate $name.c.h5 --data d.h5 --limit 4 -q > simulated.txt
    grep -q '^top-1' simulated.txt
done
