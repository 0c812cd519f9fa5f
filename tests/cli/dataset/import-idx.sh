# SPDX-License-Identifier: Apache-2.0
# A tiny IDX folder: import, describe, show, and the refusal to overwrite.
mkdir tiny
printf '\0\0\10\3\0\0\0\2\0\0\0\1\0\0\0\2abcd' > tiny/train-images-idx3-ubyte
printf '\0\0\10\1\0\0\0\2\0\1' > tiny/train-labels-idx1-ubyte
printf '\0\0\10\3\0\0\0\1\0\0\0\1\0\0\0\2xy' | gzip > tiny/t10k-images-idx3-ubyte.gz
printf '\0\0\10\1\0\0\0\1\1' | gzip > tiny/t10k-labels-idx1-ubyte.gz
"$LUTRA" dataset import idx tiny -o tiny.h5 --note 'made by hand'
"$LUTRA" dataset info tiny.h5
"$LUTRA" dataset info tiny.h5 --json
"$LUTRA" dataset show tiny.h5 --split train -o tiny.png
"$LUTRA" dataset import idx tiny -o again.h5 --note 'made by hand' -q > quiet.txt
cmp tiny.h5 again.h5
head -c 8 tiny.png | od -An -tx1
ls
code=0; "$LUTRA" dataset import idx tiny -o tiny.h5 || code=$?
[ "$code" = 2 ]
"$LUTRA" dataset import idx tiny -o tiny.h5 --force > forced.txt
