# SPDX-License-Identifier: Apache-2.0
# Each of these is refused in one line that names the option, on stderr alone.
refused() { # OPTION VALUE
    code=0
    "$LUTRA" compile m.h5 --data d.h5 -o c.h5 "$1" "$2" > out.txt 2> err.txt || code=$?
    test "$code" = 2 && test ! -s out.txt && test "$(wc -l < err.txt)" = 1 &&
        grep -q -e "'$1'" err.txt ||
        { echo "$1 $2: exit $code" >&2; cat err.txt >&2; exit 1; }
}
for value in 0 17 x '' 4, ,4 4,,5 6.5 None; do refused --rounding "$value"; done
for value in sharp ''; do refused --rounding-mode "$value"; done
for value in center ''; do refused --offsets "$value"; done
for value in 0 1 x -1 nan; do refused --p-error "$value"; done
for value in 0 1 x; do refused --global-p-error "$value"; done
for value in each "" Width; do refused --partition "$value"; done
for value in 127 x; do refused --security "$value"; done
for value in 0 x -1; do refused --calibration "$value"; done
for value in conv1 ..act1 conv1.. ''; do refused --clear-layers "$value"; done
for missing in "m.h5 --data d.h5" "m.h5 -o c.h5" "--data d.h5 -o c.h5" ""; do
    code=0
    "$LUTRA" compile $missing > out.txt 2> err.txt || code=$?
    test "$code" = 2 && test ! -s out.txt && grep -q 'is missing' err.txt ||
        { echo "'$missing': exit $code" >&2; cat err.txt >&2; exit 1; }
done
code=0
"$LUTRA" compile m.h5 --data d.h5 -o c.h5 2> err.txt || code=$?
test "$code" = 4
grep -q "'m.h5'" err.txt
