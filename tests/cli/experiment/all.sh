# SPDX-License-Identifier: Apache-2.0
# Several experiments in one run: rounding, splits, a family and agreement on a tiny network, smaller
# accumulators on a tiny CIFAR-100 in the official format, one that lacks its data; the report.
. "$LUTRA_ROOT/tests/cli/experiment/net.inc"
mkdir settings c100
cp net.ini settings/net.ini
records() { # COUNT: coarse label, fine label, 3x32x32 bytes
    yes 'aZ9!mQ0~cR5_xT7aP0(ZK~,bM!qW3^e' | head -c $(($1 * 3074)) | tr '\200-\377' '\0-\177' |
        tr 'A-Za-z' '\1-\64' | tr '\145-\377' '\1-\134'
}
records 40 > c100/train.bin
records 16 > c100/test.bin
i=0; while [ $i -lt 20 ]; do echo "group $i"; i=$((i + 1)); done > c100/coarse_label_names.txt
i=0; while [ $i -lt 100 ]; do echo "class $i"; i=$((i + 1)); done > c100/fine_label_names.txt
"$LUTRA" dataset import cifar100 c100 -q -o inputs/cifar100.h5 > /dev/null
sed -e 's/^name = net/name = vgg/; s/^classes = 2/classes = 100/; s/1x2x2/3x32x32/' \
    -e 's/^type = linear$/type = KIND/' net.ini | awk '
    /KIND/ {n++; print (n == 1 ? "type = conv\nkernel = 16\nstride = 16" : "type = linear"); next}
    /^features/ {print (n == 1 ? "channels = 2" : "features = 100"); next} {print}' > vgg.ini
"$LUTRA" train vgg.ini --data inputs/cifar100.h5 --set batch=8 -q -o inputs/vgg100.h5 > /dev/null
cat > settings/rounding.ini <<'INI'
[experiment]
name = rounding
question = How few bits?
[subject.1]
data = cifar10
model = vgg9
[stand-in]
data = tiny
network = net.ini
[claim]
bits = 2
loss = 1
[quick]
epochs = 1
train_images = 48
test_images = 0
rounding = 2, 1
offsets = none, align, centre
noise = approximate, exact
p_error = 0.1
repeats = 2
exact_images = 4
tune_bits = 1
tune_epochs = 1
tune_rate = 0.01
INI
cat > settings/accumulators.ini <<'INI'
[experiment]
name = accumulators
question = How small?
[subject.1]
label = CIFAR-10
data = cifar10
model = vgg10
[subject.2]
label = CIFAR-100
data = cifar100
model = vgg100
[quick]
test_images = 0
rounding = 6, 3
offsets = none
p_error = 0.01
repeats = 1
INI
cat > settings/hybrid.ini <<'INI'
[experiment]
name = hybrid
question = What does it save?
[subject.1]
data = tiny
network = net.ini
splits = f..a
measured = none
[quick]
epochs = 1
test_images = 0
bits = 2
p_error = 0.1
repeats = 1
samples = 1
INI
cat > settings/agreement.ini <<'INI'
[experiment]
name = agreement
question = Does it agree?
[subject.1]
data = tiny
network = net.ini
[quick]
epochs = 1
bits = 2
p_error = 0.1
samples = 2
partition = table
INI
sed -e 's/codes = .*/codes = float/' -e '/^step/d; /^weight_scale/d' net.ini > settings/float.ini
cat > settings/vgg11.ini <<'INI'
[experiment]
name = vgg11
question = What is lost on the way?
[subject.1]
label = T
data = tiny
float_network = float.ini
network = net.ini
[quick]
float_epochs = 1
epochs = 1
train_images = 48
test_images = 24
INI
cat > settings/p-error.ini <<'INI'
[experiment]
name = p-error
question = How large?
[subject]
data = nowhere
network = net.ini
[quick]
epochs = 1
bits = 2
test_images = 0
p_errors = 0.1
repeats = 1
samples = 1
budget = 1
search_images = 1
INI
"$LUTRA" train net.ini --data inputs/tiny.h5 -q -o inputs/given.h5 > /dev/null
cat > settings/family.ini <<'INI'
[experiment]
name = family
question = What does a look-up buy?
[subject.1]
data = tiny
models = given, nobody
networks = net.ini
[claim]
bits = 2
[quick]
epochs = 1
test_images = 0
rounding = 2, 1
p_error = 0.1
repeats = 2
INI
run() {
    "$LUTRA" experiment run rounding vgg11 accumulators hybrid family agreement p-error --settings settings \
        --inputs inputs --threads 2 --no-progress "$@"
}
run -o r > out.txt 2> err.txt
grep -q "p-error: skipped: input 'nowhere' is missing" err.txt
for name in rounding vgg11 accumulators hybrid family; do grep -q "^$name *done$" out.txt; done
grep -q '^p-error *skipped: ' out.txt
grep -q '^report   r/report.html$' out.txt
# every figure once, with what it is of
grep -q '^# stand-in: yes' r/rounding/figures.csv
grep -q '^# complete: yes$' r/rounding/figures.csv
at() { grep -c "^$2" "r/$1/figures.csv"; }
[ "$(at rounding 'top-1,no rounding,')" = 1 ]
[ "$(at rounding 'top-1,2 bits; align,')" = 1 ]
[ "$(at rounding 'top-1,1 bits; centre; noise of approximate rounding,')" = 1 ]
[ "$(at rounding 'top-1,1 bits; noise of exact rounding,')" = 1 ]
[ "$(at rounding 'top-1,1 bits; tuned,')" = 1 ]
[ "$(at rounding 'top-1,')" = 32 ] # 1 + 3 rules x 2 bits x (none, approximate, exact); 13 tuned
grep -q '^top-1,1 bits; noise of exact rounding,.*,4,$' r/rounding/figures.csv
[ -s r/rounding/tuned-1.h5 ]
grep -q "^# left out: input 'cifar10' is missing" r/accumulators/figures.csv
grep -q '^# CIFAR-100 data: cifar-100' r/accumulators/figures.csv
grep -q '^top-1,CIFAR-100; 3 bits,fraction,simulated,[0-9.]*,[0-9.]*,[0-9.]*,16,$' \
    r/accumulators/figures.csv
[ "$(at hybrid 'look-ups of an image,all in FHE,,counted,2,2,2,')" = 1 ]
[ "$(at hybrid 'top-3,all in FHE,fraction,simulated,1,')" = 1 ] # of two classes
# all tables in the clear: there is nothing to encrypt for, and no parameters
grep -q 'f..a in the clear,.*no crypto parameters$' r/hybrid/figures.csv
for member in given net.ini; do
    [ "$(at family "look-ups of an image,$member,,counted,2,2,2,")" = 1 ]
    [ "$(at family "top-1,$member; quantized model,fraction,simulated,[0-9.]*,[0-9.]*,[0-9.]*,32,")" = 1 ]
    [ "$(at family "top-1,$member; [12] bits,")" = 2 ]
    [ "$(at family "time of an image predicted,$member; [12] bits,s,predicted,[0-9.]*,")" = 2 ]
done
grep -q "^# left out: model 'nobody'$" r/family/figures.csv
for stage in float quantized circuit; do
    [ "$(at vgg11 "top-1,T; $stage,fraction,simulated,[0-9.]*,[0-9.]*,[0-9.]*,24,")" = 1 ]
done
grep -q '^images with equal logits in model and circuit,T,fraction,simulated,1,' r/vgg11/figures.csv
if grep -q 'agreement *done' out.txt; then
    [ "$(at agreement 'wrong look-ups under FHE,a,fraction,encrypted,')" = 1 ]
    [ "$(at agreement 'same answer under FHE as simulated,all samples,')" = 1 ]
    [ "$(at agreement 'deviation of noise measured over predicted,')" -ge 3 ]
    [ "$(grep -c '^seconds,sample' r/agreement/samples.csv)" = 2 ]
    [ "$(grep -c '^logit under FHE,sample' r/agreement/samples.csv)" -ge 4 ]
    [ "$(at agreement 'right answer under FHE,all samples,')" = 1 ]
    [ "$(at agreement 'deviation of logits under FHE over that between logits,all samples,')" = 1 ]
    [ -s r/agreement/agreement-logits.png ]
else
    grep -q '^agreement *skipped: ' out.txt
fi
grep -q '^# skipped: input' r/p-error/figures.csv
[ "$(grep -c '<section id=' r/report.html)" = 7 ]
grep -q 'skipped: input' r/report.html
[ "$(grep -c 'quick, stand-in' r/report.html)" = 1 ]
# complete ones are not run again, and what was skipped is tried again
run --resume -o r > again.txt 2> again.err
grep -q 'rounding: complete already' again.err
grep -q "p-error: skipped" again.err
# --json: one object; what is refused leaves no folder
run --json -q -o j > j.json
grep -q '"state":[[:space:]]*"skipped"' j.json
code=0; run --full -o f > out.txt 2> err.txt || code=$?
[ "$code" = 3 ]
grep -q "section \[full\] has no" err.txt
# more samples than their file holds are refused before any key is made
if [ -e r/agreement/samples.csv ]; then
    sed 's/^samples = 2/samples = 1000/' settings/agreement.ini > many.ini
    code=0; "$LUTRA" experiment run agreement --settings many.ini --quick -q --inputs inputs -o many \
        > out.txt 2> err.txt || code=$?
    [ "$code" = 3 ]
    grep -q "'samples' in section \[quick\] is 1000; should be at most [0-9]* for a circuit" err.txt
fi
# samples that lack logits (an older version's, or half of them) are concluded with those there are
if [ -e r/agreement/samples.csv ]; then
    logits='deviation of logits under FHE over that between logits,all samples,'
    one() { "$LUTRA" experiment run agreement --settings settings/agreement.ini --quick -q --inputs inputs \
        --resume -o r/agreement > /dev/null 2> one.err; }
    sed -i '/^logit under FHE,sample 0; class 0/d' r/agreement/samples.csv
    one
    [ "$(at agreement "$logits")" = 1 ]
    sed -i '/^logit under FHE/d; /^deviation of logits/d' r/agreement/samples.csv r/agreement/figures.csv
    one
    [ "$(at agreement "$logits")" = 0 ]
fi
