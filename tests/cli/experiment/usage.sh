# SPDX-License-Identifier: Apache-2.0
# The list, and what is refused before any key is made: one line on stderr, no folder left.
. "$LUTRA_ROOT/tests/cli/experiment/tiny.inc"
"$LUTRA" experiment list > list.txt
grep -q '^noise$' list.txt
grep -q '^  question    Do ciphertexts' list.txt
grep -q '^  refuted_if  ' list.txt
grep -q '^  full_time   ' list.txt
"$LUTRA" experiment list --json > list.json
grep -q '"schema":[[:space:]]*"lutra.experiment/1"' list.json
refused() { # CODE PATTERN ARGUMENT...
    expected=$1; pattern=$2; shift 2
    code=0; "$LUTRA" experiment "$@" > stdout.txt 2> stderr.txt || code=$?
    [ "$code" = "$expected" ] && [ ! -s stdout.txt ] && [ "$(head -1 stderr.txt | wc -l)" = 1 ] &&
        grep -q -e "$pattern" stderr.txt && [ ! -e r ] ||
        { echo "experiment $*: exit $code, expected $expected" >&2; cat stderr.txt >&2; exit 1; }
}
broken() { # SED PATTERN
    sed -e "$1" tiny.ini > broken.ini
    refused 3 "$2" run noise --settings broken.ini -o r
}
refused 2 "should be 'list', 'run NAME', 'compare DIR...' or 'report DIR...'"
refused 2 "should be 'list', 'run NAME'" walk
refused 2 "'run' needs a name, several, or 'all'" run -o r
refused 2 "'compare' needs folders of runs" compare
refused 2 'needs -o DIR' run noise
refused 2 'needs -o FILE.html' report r
refused 2 "takes no name, but found 'noise'" list noise
refused 2 "unknown experiment 'nosie'" run noise nosie -o r
refused 2 "'all' stands alone, but found 'noise'" run noise all -o r
refused 2 'should be NAME=FILE' run noise --input vgg9 -o r
refused 2 'give one of them' run noise --resume --force -o r
refused 4 "cannot open 'nowhere/figures.csv'" compare nowhere
refused 4 "cannot open 'nowhere/figures.csv'" report nowhere -o r
refused 2 "unknown experiment 'nosie'" run nosie -o r
refused 4 "cannot open 'none.ini'" run noise --settings none.ini -o r
broken 's/outputs = 64/outputs = 3/' "'outputs' in section \[quick\] is '3'; should be an integer from 4"
broken 's/tolerance = 0.5/tolerance = many/' "'tolerance' in section \[quick\] is 'many'"
broken 's/keys = 1/locks = 1/' "knows no 'locks'"
broken '/norm_squared = 4/d' "section \[set.1\] has no 'norm_squared'"
broken 's/set\.2/set.5/' 'unknown section \[set.5\]; sets are numbered from 1'
broken 's/set = 2/set = 3/' "'set' in section \[curve\] is '3'"
broken 's/precision = 2/precision = 17/' "'precision' in section \[set.2\] is '17'"
broken 's/p_error = 0.2/p_error = 1/' "'p_error' in section \[set.1\] is '1'"
broken 's/^\[set.1\]/set.1]/' 'broken.ini'
# a key of agreement alone
sed -e 's/^partition = table/partition = tables/' "$LUTRA_ROOT/experiments/agreement-lean.ini" > broken.ini
code=0; "$LUTRA" experiment run agreement-lean --settings broken.ini -o r 2> stderr.txt || code=$?
[ "$code" = 4 ] && grep -q 'no real FHE' stderr.txt ||
    refused 3 "'partition' in section \[quick\] is 'tables'; should be none, width, norm or table" \
        run agreement-lean --settings broken.ini -o r
