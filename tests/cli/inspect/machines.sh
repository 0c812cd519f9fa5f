# SPDX-License-Identifier: Apache-2.0
# The profiles of experiments/machines can be used, and predict seconds of their own.
. "$LUTRA_ROOT/tests/cli/simulate/tiny.inc"
"$LUTRA" inspect c.h5 -q | grep '^predicted' > builtin.txt
for profile in "$LUTRA_ROOT"/experiments/machines/*.ini; do
    "$LUTRA" inspect c.h5 -q --profile "$profile" > own.txt
    grep -q '^machine .*calibrated on AMD' own.txt
    grep '^predicted' own.txt > predicted.txt
    if cmp -s builtin.txt predicted.txt; then exit 1; fi
done
