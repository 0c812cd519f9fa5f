# SPDX-License-Identifier: Apache-2.0
# Asked for help: stdout, exit 0, every command listed and each one's own help works.
"$LUTRA" help
for command in $("$LUTRA" help | sed -n 's/^  \([a-z]*\)  *.*/\1/p'); do
    "$LUTRA" "$command" --help > help.txt
    grep -q 'Usage: lutra' help.txt
    grep -q -e '--json' help.txt
    # two real examples in every help
    test "$(grep -c "^  lutra $command" help.txt)" -ge 2 || { echo "$command: fewer than two examples" >&2; exit 1; }
done
