# SPDX-License-Identifier: Apache-2.0
# A training from images to logits: epoch lines, a picture, JSON, an evaluation on one and two threads.
. "$LUTRA_ROOT/tests/cli/train/tiny.inc"
"$LUTRA" train net.ini --data d.h5 --curve curve.png -o m.h5
head -c 8 curve.png | tail -c 7 | head -c 3; echo
"$LUTRA" train net.ini --data d.h5 --epochs 2 --threads 1 --json -q -o n.h5 > n.json
grep -E '"(schema|epochs|train_images|validation_images)"' n.json
"$LUTRA" evaluate m.h5 --data d.h5 --threads 1 --logits one.csv > /dev/null
"$LUTRA" evaluate m.h5 --data d.h5 --threads 2 --logits two.csv --json > e.json
"$LUTRA" evaluate m.h5 --data d.h5 --confusion confusion.png > /dev/null
head -c 4 confusion.png | tail -c 3 | sed "s/^/matrix /"; echo
cmp one.csv two.csv
head -1 one.csv
wc -l < one.csv
grep -E '"(schema|images|split)"' e.json
"$LUTRA" evaluate m.h5 --data d.h5 --split train --limit 5
"$LUTRA" train net.ini --data d.h5 --init m.h5 --strip --set schedule=linear --epochs 1 -q -o s.h5 > /dev/null
"$LUTRA" train net.ini --data d.h5 --set schedule=linear --epochs 1 --resume -o s.h5 2> again.txt || echo "exit $?"
cat again.txt
