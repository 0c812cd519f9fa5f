# SPDX-License-Identifier: Apache-2.0
# Stopped in the middle and gone on with: the very results. The checkpoint is the owner's alone, is
# refused where it does not fit, and is gone at the end.
. "$LUTRA_ROOT/tests/cli/verify/tiny.inc"
verify() {
    "$LUTRA" verify c.h5 --data d.h5 --samples 8 --insecure-test-keys --no-progress "$@"
}
code=0; verify -o whole > whole.txt 2> whole.err || code=$?
if [ "$code" = 4 ] && grep -q 'no real FHE' whole.err; then
    echo 'built without the bridge to real FHE' >&2; exit 77
fi
[ "$code" = 0 ]
# eight images take a part of a second: on a busy machine the signal may come too late
for attempt in 1 2 3 4 5; do
    rm -f part
    "$LUTRA" verify c.h5 --data d.h5 --samples 8 --insecure-test-keys --no-progress \
        --checkpoint part > part.txt 2> part.err &
    job=$!
    while [ ! -e part ] && kill -0 "$job" 2> /dev/null; do :; done
    kill -TERM "$job" || true
    code=0; wait "$job" || code=$?
    [ "$code" = 0 ] || break
done
[ "$code" = 130 ]
grep -q 'go on with the same command and --resume' part.err
[ "$(stat -c %a part)" = 600 ]
code=0; verify --checkpoint part > again.txt 2> again.err || code=$?
[ "$code" = 2 ]
grep -q "'part' exists" again.err
code=0; verify --checkpoint part --resume --first 1 --samples 7 > again.txt 2> again.err || code=$?
[ "$code" = 3 ]
grep -q "'part' is of another circuit, other images or other settings" again.err
head -c 100 part > cut
code=0; verify --checkpoint cut --resume > again.txt 2> again.err || code=$?
[ "$code" = 3 ]
grep -q "'cut' is cut or altered" again.err
verify --checkpoint part --resume -o rest > rest.txt
[ ! -e part ]
cmp whole/layers.csv rest/layers.csv
cut -d, -f1-9,13- whole/samples.csv > whole.csv
cut -d, -f1-9,13- rest/samples.csv | cmp - whole.csv
code=0; verify --resume > again.txt 2> again.err || code=$?
[ "$code" = 2 ]
code=0; verify --checkpoint part --neurons 2 > again.txt 2> again.err || code=$?
[ "$code" = 2 ]
