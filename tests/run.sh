#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs cmocka test programs and the fuzz corpora; ends with "N passed, N failed, N skipped".
# Programs that take 2 seconds or more say how long.
# usage: tests/run.sh BUILD_FOLDER PROGRAM...
set -u
build=$1
shift
passed=0
failed=0
skipped=0
log=$build/tests/run.log
: > "$log"
for program in "$@"; do
    output=$build/tests/output.txt
    begin=$(date +%s)
    if "$program" > "$output" 2>&1; then code=0; else code=$?; fi
    seconds=$(($(date +%s) - begin))
    cat "$output" >> "$log"
    p=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$output" | head -1)
    f=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$output" | head -1)
    s=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test.*/\1/p' "$output" | head -1)
    p=${p:-0}; f=${f:-0}; s=${s:-0}
    if [ "$code" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
    if [ "$code" -eq 0 ] && [ "$p" -eq 0 ] && [ "$s" -eq 0 ]; then
        echo "no test ran in this program" >> "$output"
        f=1
    fi
    passed=$((passed + p)); failed=$((failed + f)); skipped=$((skipped + s))
    if [ "$f" -ne 0 ]; then
        echo "FAIL $program (exit $code)"
        grep -a -v -E '^\[ RUN|^\[       OK' "$output" | tail -60
    else
        printf '  ok   %-52s %3d passed%s%s\n' "${program#"$build"/tests/}" "$p" \
            "$([ "$s" -ne 0 ] && printf ', %d skipped' "$s")" \
            "$([ "$seconds" -ge 2 ] && printf ', %d s' "$seconds")"
        [ "$s" -ne 0 ] && grep '^skipped:' "$output"
    fi
done
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    program=$build/tests/fuzz/$name
    corpus=tests/fuzz/corpus/${name#fuzz_}
    if [ ! -x "$program" ]; then echo "FAIL $program: not built"; failed=$((failed + 1)); continue; fi
    if [ ! -d "$corpus" ]; then echo "FAIL $program: no corpus $corpus"; failed=$((failed + 1)); continue; fi
    if "$program" "$corpus" > "$build/tests/output.txt" 2>&1; then
        passed=$((passed + 1))
        printf '  ok   %-52s %3d inputs\n' "${program#"$build"/tests/}" "$(find "$corpus" -type f | wc -l)"
    else
        failed=$((failed + 1))
        echo "FAIL $program"
        tail -40 "$build/tests/output.txt"
    fi
done
if [ "${BRIDGE:-1}" = 0 ]; then
    count=$(ls tests/bridge/test_real_*.c 2>/dev/null | wc -l)
    skipped=$((skipped + count))
    echo "  skipped: $count real-FHE test programs (built with BRIDGE=0)"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
