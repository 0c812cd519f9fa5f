# SPDX-License-Identifier: Apache-2.0
# With a set for each width, a search prices every table by its own set: it never ends dearer than
# with one, and runs of one rule do not serve the other.
. "$LUTRA_ROOT/tests/cli/search/two.inc"
key() { sed -n 's/^[[:space:]]*"'"$1"'":[[:space:]]*\([^,]*\),*/\1/p' "$2"; }
small="--held-out 48 --images 16 --bits 6,4,2 --p-error 1e-1,1e-3 --budget 100"
"$LUTRA" search m.h5 --data d.h5 $small -q --json -o one > one.json
"$LUTRA" search m.h5 --data d.h5 $small --partition width --json -o width > width.json 2> said.txt
[ "$(grep -c 'above 2^-64: not IND-CPA^D safe' said.txt)" = 1 ]
[ "$(key partition one.json)" = '"none"' ]
[ "$(key partition width.json)" = '"width"' ]
grep -q '"curve":.*"concrete, Gaussian noise, binary keys, 132 bits, 2025-06-16",$' width.json
# rows of tables that read unlike widths have two sets, and cost less than with one
awk -F, 'NR == 1 {for (i = 1; i <= NF; i++) at[$i] = i; next}
    {name = $at["stage"] $at["table"] $at["bits"] $at["offsets"] $at["p_error"]}
    NR == FNR {seconds[name] = $at["predicted_seconds"]; if ($at["parameter_sets"] > 1) exit 1; next}
    FNR > 1 && $at["parameter_sets"] > 1 {several++}
    FNR > 1 && (name in seconds) && $at["predicted_seconds"] > 1.0001 * seconds[name] {exit 1}
    END {exit several > 0 ? 0 : 1}' one/search.csv width/search.csv
for file in one width; do
    [ "$(key lwe_dim $file.json)" = "$("$LUTRA" inspect $file/circuit.h5 -q --json | key lwe_dim -)" ]
done
code=0
"$LUTRA" search m.h5 --data d.h5 $small --resume -q -o width > out.txt 2> err.txt || code=$?
[ "$code" = 2 ]
grep -q 'another folder' err.txt
