#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every "lutra COMMAND ... --option" in README and docs names a command and options that the
# program has.
set -eu
program=$(dirname "$1")/lutra
[ -x "$program" ] || { echo "build the program first: make"; exit 1; }
bad=0
for page in README.md docs/*.md; do
    [ -e "$page" ] || continue
    # inside fences only: join lines that end in a backslash, keep those that call the program
    awk '/^```/ {inside = !inside; next} inside' "$page" |
        sed -e ':a' -e '/\\$/N; s/\\\n//; ta' |
        sed -n 's/^\$ *//; s|^build/release/||; /^lutra [a-z]/p' > build/docs-commands.txt
    while read -r line; do
        command=$(printf '%s\n' "$line" | awk '{print $2}')
        [ "$command" = help ] && continue
        if ! help=$("$program" "$command" --help 2>&1); then
            echo "$page: unknown command in: $line"; bad=1; continue
        fi
        for option in $(printf '%s\n' "$line" | grep -o -E ' --[a-z][a-z0-9-]*' || true); do
            if ! printf '%s\n' "$help" | grep -q -e "$option"; then
                echo "$page: $command has no $option: $line"; bad=1
            fi
        done
    done < build/docs-commands.txt
done
exit $bad
