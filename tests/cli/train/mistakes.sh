# SPDX-License-Identifier: Apache-2.0
# Mistakes: what is missing, unknown or impossible is named, with what is allowed.
. "$LUTRA_ROOT/tests/cli/train/tiny.inc"
fails() {
    code=0
    "$LUTRA" "$@" 2>&1 || code=$?
    echo "exit $code"
}
fails train net.ini -o m.h5
fails train --data d.h5 -o m.h5
fails train net.ini --data d.h5 -o m.h5 --epochs 0
fails train net.ini --data d.h5 -o m.h5 --set loss=hinge
fails train net.ini --data d.h5 -o m.h5 --rounding 17
fails train net.ini --data d.h5 -o m.h5 --p-error 0.95
fails train net.ini --data d.h5 -o m.h5 --p-error 0.1 --noise 0.2
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
