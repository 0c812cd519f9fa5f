# SPDX-License-Identifier: Apache-2.0
# A packed model gives the same logits, begins and teaches other trainings, and has nothing to resume.
. "$LUTRA_ROOT/tests/cli/train/tiny.inc"
sed 's/fixed/max/; s/-1..1$/-7..7/' net.ini > wide.ini
for net in net wide; do
    "$LUTRA" train $net.ini --data d.h5 -q -o $net.h5 > /dev/null
    "$LUTRA" export $net.h5 -o packed-$net.h5
    "$LUTRA" evaluate $net.h5 --data d.h5 --logits $net-one.csv > /dev/null
    "$LUTRA" evaluate packed-$net.h5 --data d.h5 --logits $net-two.csv > /dev/null
    cmp $net-one.csv $net-two.csv
    "$LUTRA" compile $net.h5 --data d.h5 -q -o one-circuit.h5 > /dev/null
    "$LUTRA" compile packed-$net.h5 --data d.h5 -q -o two-circuit.h5 > /dev/null
    "$LUTRA" simulate one-circuit.h5 --data d.h5 --logits $net-three.csv > /dev/null
    "$LUTRA" simulate two-circuit.h5 --data d.h5 --logits $net-four.csv > /dev/null
    cmp $net-three.csv $net-four.csv
    rm one-circuit.h5 two-circuit.h5
done
"$LUTRA" export packed-net.h5 -o again.h5 > /dev/null
cmp packed-net.h5 again.h5
"$LUTRA" export net.h5 -o packed-net.h5 --json --force
"$LUTRA" train net.ini --data d.h5 --init packed-net.h5 --teacher packed-wide.h5 -q -o next.h5 > /dev/null
fails() {
    code=0
    "$LUTRA" "$@" 2>&1 || code=$?
    echo "exit $code"
}
fails export net.h5 -o packed-net.h5
fails export d.h5 -o other.h5
fails export net.h5
fails train net.ini --data d.h5 --resume -o packed-net.h5
[ ! -e other.h5 ]
