# SPDX-License-Identifier: Apache-2.0
# Refused before any key is made, with or without real FHE in the build: one line on stderr, nothing
# on stdout, no folder left.
. "$LUTRA_ROOT/tests/cli/verify/tiny.inc"
refused() { # CODE PATTERN ARGUMENT...
    expected=$1; pattern=$2; shift 2
    code=0; "$LUTRA" verify "$@" > stdout.txt 2> stderr.txt || code=$?
    [ "$code" = "$expected" ] && [ ! -s stdout.txt ] && [ "$(wc -l < stderr.txt)" = 1 ] &&
        grep -q -e "$pattern" stderr.txt && [ ! -e v ] ||
        { echo "verify $*: exit $code, expected $expected" >&2; cat stderr.txt >&2; exit 1; }
}
head -c 9000 c.h5 > cut.h5
mkdir other
for split in train t10k; do
    printf '\0\0\10\3\0\0\0\2\0\0\0\1\0\0\0\3abcdef' > other/$split-images-idx3-ubyte
    printf '\0\0\10\1\0\0\0\2\0\1' > other/$split-labels-idx1-ubyte
done
"$LUTRA" dataset import idx other -q -o o.h5 > /dev/null
sed -e 's/0\.\.3/0..31/' -e 's,1/3,1/31,' -e 's/-1\.\.1/-127..127/' \
    -e 's/weight_scale = fixed/weight_scale = max/' net.ini > wide.ini
"$LUTRA" train wide.ini --data d.h5 --threads 1 -q -o wide-model.h5 > /dev/null
"$LUTRA" compile wide-model.h5 --data d.h5 -q -o wide.h5 > /dev/null
refused 2 'no crypto parameters: none exist' wide.h5 --data d.h5 -o v
refused 3 "'o.h5' has images of 1 x 1 x 3 .* takes 1 x 2 x 2" c.h5 --data o.h5 -o v
refused 3 "'cut.h5' is a damaged or truncated HDF5 file" cut.h5 --data d.h5 -o v
refused 3 "'m.h5' is 'lutra.model/1', not 'lutra.circuit/1'" m.h5 --data d.h5 -o v
refused 3 "'c.h5' is a 'lutra.circuit/1' file, not a 'lutra.dataset/1'" c.h5 --data c.h5 -o v
refused 4 "cannot open 'none.h5'" none.h5 --data d.h5 -o v
refused 4 "cannot open 'none.h5'" c.h5 --data none.h5 -o v
refused 2 "has 8 images in its test split; cannot take 9 from 0" c.h5 --data d.h5 --samples 9 -o v
refused 2 "cannot take 1 from 8" c.h5 --data d.h5 --first 8 -o v
refused 2 "'--samples'" c.h5 --data d.h5 --samples 0 -o v
refused 2 "'--neurons'" c.h5 --data d.h5 --neurons 0 -o v
refused 2 "'--split'" c.h5 --data d.h5 --split both -o v
refused 2 "'--key-limit'" c.h5 --data d.h5 --key-limit 0 -o v
refused 2 "'--lookups'; should be lutra or tfhe-rs" c.h5 --data d.h5 --lookups mine -o v
refused 2 'needs --data' c.h5 -o v
refused 2 'needs a circuit' --data d.h5 -o v
