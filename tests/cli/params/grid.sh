# SPDX-License-Identifier: Apache-2.0
# 320 patterns; those of the reference that have parameters, and no others, have some.
"$LUTRA" params --grid --p-error 6.3342484e-5 --sum-size 4096 --quiet > grid.txt
test "$(grep -c '^ *[0-9][0-9]* *[0-9][0-9]* ' grid.txt)" = 320
for limit in '1 30' '2 29' '3 27' '4 26' '5 24' '6 22' '7 20' '8 18' '9 16' '10 13'; do
    awk -v limit="$limit" 'BEGIN {split(limit, want)}
        $1 == want[1] && $3 != "-" {last = $2} END {exit !(last == want[2])}' grid.txt ||
        { echo "the last norm of $limit is another" >&2; exit 1; }
done
head -4 grid.txt
grep '^ *8 *4 ' grid.txt
"$LUTRA" params --grid --json --quiet > grid.json
test "$(grep -c '"feasible":' grid.json)" = 320
