# SPDX-License-Identifier: Apache-2.0
# The impact of p_error on a tiny network: training, figures, charts, real FHE, comparison, report.
. "$LUTRA_ROOT/tests/cli/experiment/net.inc"
cat > p.ini <<'INI'
[experiment]
name = p-error
question = How much & why?
[how]
tiny = ask <somebody>
[subject]
data = tiny
model = net
network = net.ini
[quick]
epochs = 1
train_images = 48
test_images = 0
bits = 2
p_errors = 0.001, 0.1
repeats = 2
encrypted = 0.001
samples = 1
budget = 100
search_images = 16
INI
run() { "$LUTRA" experiment run p-error --settings p.ini --threads 2 --seed 3 -q "$@"; }
# nothing is there: said before anything is made
code=0; run -o r > out.txt 2> err.txt || code=$?
[ "$code" = 4 ]
[ ! -e r ]
grep -q "input 'tiny' is missing; give it with --input tiny=FILE; to make it: ask <somebody>" err.txt
# an input that does not exist is a mistake, not a reason to do without
code=0; run --input tiny=nowhere.h5 -o r > out.txt 2> err.txt || code=$?
[ "$code" = 4 ]
grep -q "input 'tiny': there is no 'nowhere.h5'" err.txt
run --inputs inputs --json -o r > r.json
cmp r.json r/run.json
cmp p.ini r/configuration.ini
for file in figures.csv model.h5 p-error-accuracy.png p-error-time.png; do [ -s r/$file ]; done
figure() { grep "^$1" r/figures.csv | cut -d, -f"$2"; }
[ "$(head -1 r/figures.csv)" = '# lutra.figures/1' ]
grep -q '^# data: tiny, checksum [0-9a-f]\{16\}, ' r/figures.csv
grep -q '^# network: net, trained by this run, calibrated on 48 training images$' r/figures.csv
[ "$(figure 'top-1,no noise,' 8)" = 32 ]
[ "$(figure 'top-1,p_error 0.1,' 3)" = fraction ]
[ "$(figure 'look-ups of an image,' 5)" = 2 ]
[ "$(figure 'largest p_error within the budget,' 5 | cut -c1-3)" = 0.0 ]
grep -q '^time of an image predicted,p_error 0.001,s,predicted,' r/figures.csv
if grep -q 'left out' r/figures.csv; then
    [ "$(grep -c encrypted r/figures.csv)" = 0 ]
else
    grep -q '^wrong look-ups under FHE,p_error 0.001,fraction,encrypted,' r/figures.csv
    grep -q '^same answer under FHE as simulated,p_error 0.001,fraction,encrypted,' r/figures.csv
fi
# again with the same settings: the same figures, but for times
run --inputs inputs -o again > /dev/null
grep simulated r/figures.csv > a.csv
grep simulated again/figures.csv | cmp - a.csv
# complete: --resume keeps what was encrypted; other settings are refused
grep encrypted r/figures.csv > before.csv || true
grep timed r/figures.csv >> before.csv || true
sed -i 's/^# seconds: .*/# seconds: 5000/' r/figures.csv
run --inputs inputs --resume -o r > /dev/null 2>&1
grep -q '^# seconds: 50[0-9][0-9]$' r/figures.csv # those of all runs together
{ grep encrypted r/figures.csv || true; grep timed r/figures.csv || true; } | cmp - before.csv
code=0; run --inputs inputs --resume --seed 4 -o r > out.txt 2> err.txt || code=$?
[ "$code" = 2 ]
grep -q "holds a run with seed '3', not '4'" err.txt
sed 's/repeats = 2/repeats = 1/' p.ini > q.ini
code=0; "$LUTRA" experiment run p-error --settings q.ini --seed 3 -q --inputs inputs --resume -o r \
    > out.txt 2> err.txt || code=$?
[ "$code" = 2 ]
grep -q 'holds a run with other settings' err.txt
# compared with itself nothing moves; with a figure that differs one does, and the exit code is 1
"$LUTRA" experiment compare r --expected again/figures.csv > same.txt
grep -q '^[0-9]* figures compared, 0 moved by more' same.txt
sed 's/^look-ups of an image,,,counted,2,2,2/look-ups of an image,,,counted,3,3,3/' \
    again/figures.csv > other.csv
code=0; "$LUTRA" experiment compare r --expected other.csv > moved.txt || code=$?
[ "$code" = 1 ]
grep -q '^MOVED look-ups of an image$' moved.txt
grep -q '^[0-9]* figures compared, 1 moved by more' moved.txt
# times are not tested; a figure that is missing is
sed 's/,s,predicted,[^,]*,/,s,predicted,1,/' again/figures.csv > slow.csv
"$LUTRA" experiment compare r --expected slow.csv > slow.txt
echo 'beauty,,,counted,1,1,1,0,' | cat again/figures.csv - > more.csv
code=0; "$LUTRA" experiment compare r --expected more.csv --json > more.json || code=$?
[ "$code" = 1 ]
grep -q '"moved":[[:space:]]*1' more.json
# figures of other data are not compared
sed 's/^# data: .*/# data: other/' again/figures.csv > data.csv
"$LUTRA" experiment compare r --expected data.csv > data.txt
grep -q "not compared, because 'data' differs" data.txt
# the same data from elsewhere are
sed 's/^\(# data: tiny, checksum [0-9a-f]*\), .*/\1, from elsewhere/' again/figures.csv > moved.csv
grep -q 'from elsewhere$' moved.csv
"$LUTRA" experiment compare r --expected moved.csv > elsewhere.txt
grep -q '^[0-9]* figures compared, 0 moved' elsewhere.txt
# a damaged file is refused with its line
sed 's/,counted,/,guessed,/' again/figures.csv > bad.csv
code=0; "$LUTRA" experiment compare r --expected bad.csv > out.txt 2> err.txt || code=$?
[ "$code" = 3 ]
grep -q '^lutra experiment: bad.csv:[0-9]*: unknown kind' err.txt
# the page holds its pictures, escapes texts and reaches for nothing outside
"$LUTRA" experiment report r again -o page.html > page.txt
[ "$(grep -c '<img ' page.html)" = 4 ]
[ "$(grep -c 'src="data:image/png;base64,iVBOR' page.html)" = 4 ]
grep -q 'How much &amp; why?' page.html
! grep -q -i -E '(src|href)="?(https?:)?//|<script|@import|url\(' page.html
code=0; "$LUTRA" experiment report r -o page.html > out.txt 2> err.txt || code=$?
[ "$code" = 2 ]
