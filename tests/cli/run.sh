#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Command-line tests: each case is tests/cli/<topic>/<case>.sh, run in an empty folder with $LUTRA.
# Beside it may stand .exit (expected code, default 0), .stdout.exact / .stderr.exact, and
# .stdout.grep / .stderr.grep (every line a basic regular expression that must match some line).
# usage: tests/cli/run.sh PROGRAM [--accept]      --accept rewrites the .exact files
set -u
LUTRA=$(realpath "$1")
export LUTRA
LUTRA_ROOT=$(pwd)
export LUTRA_ROOT
XDG_CONFIG_HOME=/nonexistent # not this user's own settings
export XDG_CONFIG_HOME
accept=${2:-}
passed=0
failed=0
skipped=0
fail() { echo "FAIL $case_file: $*"; ok=0; }
for case_file in tests/cli/*/*.sh; do
    [ -e "$case_file" ] || continue
    base=$LUTRA_ROOT/${case_file%.sh}
    folder=$(mktemp -d)
    (cd "$folder" && sh -eu "$LUTRA_ROOT/$case_file" > out.txt 2> err.txt < /dev/null)
    code=$?
    ok=1
    if [ "$code" = 77 ]; then
        skipped=$((skipped + 1)); echo "  skipped: $case_file: $(tail -1 "$folder/err.txt")"
        rm -rf "$folder"; continue
    fi
    expected=0
    [ -e "$base.exit" ] && expected=$(cat "$base.exit")
    [ "$code" = "$expected" ] || { fail "exit code $code, expected $expected"; head -20 "$folder/err.txt"; }
    for stream in stdout stderr; do
        file=$folder/out.txt
        [ $stream = stderr ] && file=$folder/err.txt
        if [ -e "$base.$stream.exact" ]; then
            [ "$accept" = --accept ] && cp "$file" "$base.$stream.exact"
            diff -u "$base.$stream.exact" "$file" > "$folder/diff.txt" || { fail "$stream differs"; cat "$folder/diff.txt"; }
        fi
        if [ -e "$base.$stream.grep" ]; then
            while IFS= read -r pattern; do
                grep -q -e "$pattern" "$file" || { fail "$stream has no line like: $pattern"; head -20 "$file"; }
            done < "$base.$stream.grep"
        fi
    done
    if [ "$ok" = 1 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    rm -rf "$folder"
done
echo "command line: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
