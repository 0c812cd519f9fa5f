# SPDX-License-Identifier: Apache-2.0
# Outputs that cannot be: a missing or protected folder (4), a file that exists (2), a device (2).
# What exists stays as it is, and a training does not begin whose picture could not be written.
. "$LUTRA_ROOT/tests/cli/errors/refuse.inc"
. "$LUTRA_ROOT/tests/cli/verify/tiny.inc"
outputs() { # CODE PATTERN PATH: every command with an output there
    refused "$1" "$2" dataset import idx tiny -o "$3"
    refused "$1" "$2" dataset show d.h5 -o "$3"
    refused "$1" "$2" train net.ini --data d.h5 -o "$3"
    refused "$1" "$2" train net.ini --data d.h5 -o x.h5 --curve "$3"
    refused "$1" "$2" evaluate m.h5 --data d.h5 --logits "$3"
    refused "$1" "$2" compile m.h5 --data d.h5 -o "$3"
    for option in --logits --predictions --confusion --gallery; do
        refused "$1" "$2" simulate c.h5 --data d.h5 $option "$3"
    done
}
outputs 4 "cannot write 'none/y': folder 'none'" none/y
outputs 2 "cannot write '/dev/null': it is not a regular file" /dev/null
printf 'precious' > kept
outputs 2 "'kept' exists; give --force to replace it" kept
[ "$(cat kept)" = precious ]
if [ "$(id -u)" != 0 ]; then # root may write anywhere
    mkdir no
    chmod 555 no
    outputs 4 "cannot write 'no/y': folder 'no'" no/y
    chmod 755 no
fi
# a model is replaced with --force alone, continued with --resume
cp m.h5 before.h5
refused 2 "'m.h5' exists; give --force" train net.ini --data d.h5 -o m.h5
cmp m.h5 before.h5
"$LUTRA" train net.ini --data d.h5 --threads 1 --resume -q -o m.h5 > /dev/null
refused 2 "another 'epochs'" train net.ini --data d.h5 --epochs 2 --resume -o m.h5
"$LUTRA" train net.ini --data d.h5 --epochs 2 --force -q -o m.h5 > /dev/null
if cmp -s m.h5 before.h5; then exit 1; fi
