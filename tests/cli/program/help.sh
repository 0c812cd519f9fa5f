# SPDX-License-Identifier: Apache-2.0
# Asked for help: stdout, exit 0, every command listed and each one's own help works.
"$LUTRA" help
"$LUTRA" help | awk 'length > 77 {exit 1}'
for command in $("$LUTRA" help | sed -n 's/^  \([a-z]*\)  *.*/\1/p'); do
    "$LUTRA" "$command" --help > help.txt
    grep -q 'Usage: lutra' help.txt
    grep -q -e '--json' help.txt
    # two real examples in every help
    test "$(grep -c "^  lutra $command" help.txt)" -ge 2 || { echo "$command: fewer than two examples" >&2; exit 1; }
    # whole on a narrow terminal: no long line, no line of blanks, no example torn apart
    awk -v command="$command" '
        length > 77 || /^ +$/ {print command ": " $0; bad = 1}
        /^$/ {examples = 0}
        examples && !/^  / {print command ": a torn example: " $0; bad = 1}
        /^Examples:/ {examples = 1}
        END {exit bad}' help.txt >&2
    "$LUTRA" "$command" --usage | grep -q -e '--json'
done
