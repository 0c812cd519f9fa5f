# SPDX-License-Identifier: Apache-2.0
# Every command refuses files that are cut, of another kind, or for other images: exit 3, one sentence.
. "$LUTRA_ROOT/tests/cli/errors/refuse.inc"
. "$LUTRA_ROOT/tests/cli/verify/tiny.inc"
mkdir other
for split in train t10k; do
    printf '\0\0\10\3\0\0\0\2\0\0\0\1\0\0\0\3abcdef' > other/$split-images-idx3-ubyte
    printf '\0\0\10\1\0\0\0\2\0\1' > other/$split-labels-idx1-ubyte
done
"$LUTRA" dataset import idx other -q -o o.h5 > /dev/null
for file in d m c; do
    bytes=$(wc -c < $file.h5)
    head -c $((bytes * 2 / 3)) $file.h5 > cut-$file.h5
    head -c $((bytes - 1)) $file.h5 > short-$file.h5
done
printf 'no HDF5 at all' > text.h5
damaged() { # FILE EXPECTED_PATTERN: every command that reads such a file
    case $1 in
    *m.h5)
        refused 3 "$2" evaluate "$1" --data d.h5
        refused 3 "$2" compile "$1" --data d.h5 -o x.h5
        refused 3 "$2" train net.ini --data d.h5 --init "$1" -o x.h5 ;;
    *c.h5)
        refused 3 "$2" inspect "$1"
        refused 3 "$2" simulate "$1" --data d.h5 --logits x.csv ;;
    *)
        refused 3 "$2" dataset info "$1"
        refused 3 "$2" dataset show "$1" -o x.png
        refused 3 "$2" train net.ini --data "$1" -o x.h5
        refused 3 "$2" evaluate m.h5 --data "$1" --logits x.csv
        refused 3 "$2" compile m.h5 --data "$1" -o x.h5
        refused 3 "$2" simulate c.h5 --data "$1" --logits x.csv ;;
    esac
}
for file in d m c; do
    damaged cut-$file.h5 "'cut-$file.h5' is a damaged or truncated HDF5 file"
    damaged short-$file.h5 "'short-$file.h5' is a damaged or truncated HDF5 file"
    cp text.h5 text-$file.h5
    damaged text-$file.h5 "'text-$file.h5' is not an HDF5 file"
done
# one kind in place of another
cp m.h5 in-place-of-d.h5
damaged in-place-of-d.h5 "is a 'lutra.model/1' file, not a 'lutra.dataset/1'"
cp c.h5 in-place-of-m.h5
damaged in-place-of-m.h5 "is 'lutra.circuit/1', not 'lutra.model/1'"
cp d.h5 in-place-of-c.h5
damaged in-place-of-c.h5 "is 'lutra.dataset/1', not 'lutra.circuit/1'"
# other images
refused 3 'dataset .other. are 1x1x3, but network .net. wants 1x2x2' train net.ini --data o.h5 -o x.h5
refused 3 'dataset .other. are 1x1x3, but network .net. wants 1x2x2' evaluate m.h5 --data o.h5
refused 3 "'o.h5' are 1x1x3, but model 'm.h5' reads 1x2x2" compile m.h5 --data o.h5 -o x.h5
refused 3 "are 1 x 1 x 3, but circuit 'net' takes 1 x 2 x 2" simulate c.h5 --data o.h5
sed 's/1x2x2/1x1x3/' net.ini > o.ini
refused 3 "layer 'f' has 6 numbers, but 8 in" train o.ini --data o.h5 --init m.h5 -o x.h5
# resuming from what is no training
cp cut-m.h5 r.h5
refused 3 "'r.h5' is a damaged or truncated HDF5 file" train net.ini --data d.h5 --resume -o r.h5
cmp cut-m.h5 r.h5
"$LUTRA" train net.ini --data d.h5 --strip -q -o s.h5 > /dev/null
refused 3 "'s.h5' has no training state" train net.ini --data d.h5 --resume -o s.h5
