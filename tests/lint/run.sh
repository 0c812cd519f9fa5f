#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs every lint; ends with a count. usage: tests/lint/run.sh LIBRARY
set -u
library=$1
passed=0
failed=0
for lint in layers headers quietlib sources outside docs-commands; do
    if output=$(tests/lint/$lint.sh "$library" 2>&1); then
        passed=$((passed + 1))
        printf '  ok   lint %s\n' "$lint"
    else
        failed=$((failed + 1))
        printf 'FAIL lint %s\n%s\n' "$lint" "$output"
    fi
done
echo "lint: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
