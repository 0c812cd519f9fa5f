# SPDX-License-Identifier: Apache-2.0
# Client and server as processes with their own files: the answers are those of the simulation; what
# does not belong together, or is cut or altered, is refused with one sentence.
. "$LUTRA_ROOT/tests/cli/verify/tiny.inc"
code=0; "$LUTRA" keygen c.h5 -q -o keys > keygen.txt 2> keygen.err || code=$?
if [ "$code" = 4 ] && grep -q 'no real FHE' keygen.err; then
    [ ! -e keys ]
    echo 'built without the bridge to real FHE' >&2; exit 77
fi
cat keygen.err >&2
[ "$code" = 0 ]
[ "$(ls keys)" = "client.key
evaluation.key
server.h5" ]
[ "$(stat -c %a keys/client.key)" = 600 ]
[ "$(wc -c < keys/client.key)" = 80 ]
mkdir server client
mv keys/evaluation.key keys/server.h5 server
mv keys/client.key c.h5 d.h5 client
(cd client && "$LUTRA" encrypt c.h5 --key client.key --data d.h5 --samples 2 -q -o in.ct > /dev/null)
cp client/in.ct server
(cd server && "$LUTRA" run server.h5 --key evaluation.key in.ct -q --json -o out.ct > run.json)
grep -q '"pbs_run":[[:space:]]*4' server/run.json
cp server/out.ct client
cd client
"$LUTRA" decrypt c.h5 --key client.key out.ct -q -o answers.csv > answers.txt
grep -q '^image 1: class [01], logits ' answers.txt
"$LUTRA" simulate c.h5 --data d.h5 --limit 2 --logits l.csv -q > /dev/null
sed 1d l.csv | cut -d, -f3- > simulated.csv
sed 1d answers.csv | cut -d, -f3- | cmp - simulated.csv
# encrypted again: other bytes, the same answer; the same keys once more: never the same
"$LUTRA" encrypt c.h5 --key client.key --data d.h5 --samples 2 -q -o again.ct > /dev/null
! cmp -s in.ct again.ct
"$LUTRA" keygen c.h5 -q -o other > /dev/null
! cmp -s other/client.key client.key
# nothing of the client's in the server's circuit: the meaning of pixels and logits
"$LUTRA" simulate ../server/server.h5 --data d.h5 --limit 2 --logits blind.csv -q > /dev/null
sed 1d blind.csv | cut -d, -f3- | sort -u | wc -l | grep -qx 1
refused() { # CODE PATTERN ARGUMENT...
    expected=$1; pattern=$2; shift 2
    code=0; "$LUTRA" "$@" -q > stdout.txt 2> stderr.txt || code=$?
    [ "$code" = "$expected" ] && [ ! -s stdout.txt ] && [ "$(wc -l < stderr.txt)" = 1 ] &&
        grep -q -e "$pattern" stderr.txt && [ ! -e x ] && [ ! -e x.partial ] ||
        { echo "$*: exit $code, expected $expected" >&2; cat stderr.txt >&2; exit 1; }
}
refused 3 'belongs to other keys' run ../server/server.h5 --key other/evaluation.key in.ct -o x
refused 3 'belongs to other keys' decrypt c.h5 --key other/client.key out.ct -o x
"$LUTRA" compile ../m.h5 --data d.h5 --p-error 1e-6 -q -o c2.h5 > /dev/null
refused 3 'of another circuit: make a new client key' encrypt c2.h5 --key client.key --data d.h5 -o x
refused 3 'of another circuit: make a new evaluation key' run c2.h5 --key ../server/evaluation.key in.ct -o x
refused 3 'is no client key of lutra' decrypt c.h5 --key in.ct out.ct -o x
refused 3 'is no file of encrypted inputs' run ../server/server.h5 --key ../server/evaluation.key out.ct -o x
refused 3 'is no file of encrypted outputs' decrypt c.h5 --key client.key in.ct -o x
refused 2 "'in.ct' exists; give --force" encrypt c.h5 --key client.key --data d.h5 -o in.ct
refused 2 'cannot take 9 from 0' encrypt c.h5 --key client.key --data d.h5 --samples 9 -o x
refused 2 'needs a circuit, --key, --data and --output' encrypt c.h5 -o x
refused 2 'needs a circuit, encrypted inputs' run c.h5 -o x
refused 2 'needs a circuit, encrypted outputs' decrypt c.h5
refused 2 "'--output' is missing" keygen c.h5
refused 2 "exists; give --force" keygen c.h5 -o other
cp client.key open.key
chmod 640 open.key
refused 2 "others than you may read 'open.key'" decrypt c.h5 --key open.key out.ct -o x
for file in client.key in.ct out.ct; do
    bytes=$(wc -c < $file)
    for cut in 0 7 15 31 39 $((bytes - 17)) $((bytes - 1)); do
        head -c $cut $file > cut; chmod 600 cut
        case $file in
            client.key) refused 3 "'cut'" decrypt c.h5 --key cut out.ct -o x ;;
            in.ct) refused 3 "'cut'" run ../server/server.h5 --key ../server/evaluation.key cut -o x ;;
            out.ct) refused 3 "'cut'" decrypt c.h5 --key client.key cut -o x ;;
        esac
    done
done
head -c 60 client.key > altered; printf X >> altered; tail -c 19 client.key >> altered
chmod 600 altered
refused 3 "'altered' is cut or altered" decrypt c.h5 --key altered out.ct -o x
