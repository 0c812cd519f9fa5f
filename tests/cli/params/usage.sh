# SPDX-License-Identifier: Apache-2.0
# Each of these is refused in one line that names the option, on stderr alone.
refused() {
    option=$1
    value=$2
    set -- --precision 4 --norm 2 --p-error 1e-3 "$option"
    [ -z "$value" ] || set -- "$@" "$value"
    code=0
    "$LUTRA" params "$@" > out.txt 2> err.txt || code=$?
    test "$code" = 2 && test ! -s out.txt && test "$(wc -l < err.txt)" = 1 &&
        grep -q -e "'$option'" err.txt ||
        { echo "$option $value: exit $code" >&2; cat err.txt >&2; exit 1; }
}
for value in 0 1 nan -1 inf 1e-400 x 0.5x; do refused --p-error "$value"; done
for value in 0 17 -1 4.5 x; do refused --precision "$value"; done
for value in -1 nan inf x; do refused --norm "$value"; done
for value in 127 0 x; do refused --security "$value"; done
for value in -1 x 4294967296; do refused --sum-size "$value"; done
for value in 7 18; do refused --largest-log2-poly "$value"; done
refused --noise-model better
refused --modulus-switch none
refused --grid ''
for missing in "--norm 2 --p-error 0.1" "--precision 2 --p-error 0.1" "--precision 2 --norm 2" ""; do
    code=0
    "$LUTRA" params $missing > out.txt 2> err.txt || code=$?
    test "$code" = 2 && test ! -s out.txt && grep -q 'is missing' err.txt ||
        { echo "'$missing': exit $code" >&2; exit 1; }
done
