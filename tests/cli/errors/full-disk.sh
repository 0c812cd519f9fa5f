# SPDX-License-Identifier: Apache-2.0
# A disk that is full: exit 4, one sentence, nothing under the final name and no partial file. The
# limit on the size of files stands in for it: writing past it fails in the same places.
. "$LUTRA_ROOT/tests/cli/simulate/tiny.inc"
full() { # ARGUMENT...
    code=0
    (trap '' XFSZ; ulimit -f 1; exec "$LUTRA" "$@") > stdout.txt 2> stderr.txt || code=$?
    left=$(ls -d x.* 2> /dev/null || true)
    [ "$code" = 4 ] && [ -z "$left" ] && [ "$(wc -l < stderr.txt)" = 1 ] &&
        grep -q "^lutra.*: cannot write .*x\\." stderr.txt ||
        { echo "lutra $*: exit $code, left: $left" >&2; cat stderr.txt >&2; exit 1; }
}
full dataset import idx tiny -o x.h5
full dataset show d.h5 -o x.png
full train net.ini --data d.h5 -q -o x.h5
full train net.ini --data d.h5 -q -o x.h5 --epochs 3
full evaluate m.h5 --data d.h5 --logits x.csv --split train
full compile m.h5 --data d.h5 -q -o x.h5
full simulate c.h5 --data d.h5 --logits x.csv
for option in --confusion --gallery; do full simulate c.h5 --data d.h5 $option x.png; done
# what stands under the name stays whole
cp m.h5 x.kept
code=0
(trap '' XFSZ; ulimit -f 1; exec "$LUTRA" train net.ini --data d.h5 -q --force -o x.kept) \
    > stdout.txt 2> stderr.txt || code=$?
[ "$code" = 4 ]
cmp m.h5 x.kept
[ ! -e x.kept.partial ]
# standard output that takes nothing
[ -e /dev/full ] || exit 0
silent() { # ARGUMENT...
    code=0; "$LUTRA" "$@" > /dev/full 2> stderr.txt || code=$?
    [ "$code" = 4 ] && [ "$(grep -c 'cannot write to standard output' stderr.txt)" = 1 ] ||
        { echo "lutra $* > /dev/full: exit $code" >&2; cat stderr.txt >&2; exit 1; }
}
silent help
silent --version
for json in '' --json; do
    silent dataset info d.h5 $json
    silent evaluate m.h5 --data d.h5 $json
    silent inspect c.h5 $json
    silent simulate c.h5 --data d.h5 $json
    silent params --precision 4 --norm 2 --p-error 1e-3 $json
done
for command in dataset train evaluate compile inspect simulate verify params; do
    silent $command --help
    silent $command --usage
done
