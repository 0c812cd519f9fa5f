#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Trains the CIFAR-10 models of this project, one step after another, and packs them.
# usage: experiments/train.sh DATASET.h5 FOLDER [STEP...]
#   DATASET.h5  what 'lutra dataset import cifar10' wrote
#   FOLDER      models, curves and logs; FOLDER/pretrained gets the packed models
#   STEP        teacher, or a network file's name (vgg9, vgg9-max, vgg9-pool-first, lean, lean2,
#               lean3, lean-relu, lean2-relu), or NAME-6bits: NAME fine-tuned for sums rounded to
#               6 bits, with noise. The -relu networks learn without the teacher.
#               Default: lean-relu lean-relu-6bits teacher vgg9 lean lean2 vgg9-6bits lean-6bits
#               lean2-6bits
# Every step can be stopped with Ctrl-C and goes on where it stood when the same line is run again;
# finished steps are passed over. LUTRA names the program, SEED the seed (1).
set -eu
[ $# -ge 2 ] || { sed -n '3,14s/^# \{0,1\}//p' "$0"; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
lutra=${LUTRA:-$root/build/release/lutra}
seed=${SEED:-1}
data=$1
folder=$2
shift 2
[ $# -gt 0 ] || set -- lean-relu lean-relu-6bits teacher vgg9 lean lean2 vgg9-6bits lean-6bits lean2-6bits
mkdir -p "$folder/pretrained"
unset OPENBLAS_CORETYPE

# run NETWORK OUTPUT OPTION...: a step that takes itself up again
run() {
    network=$root/experiments/networks/$1.ini
    output=$folder/$2.h5
    shift 2
    echo "== $output"
    if [ -e "$output" ]; then set -- "$@" --resume; fi
    "$lutra" train "$network" --data "$data" --seed "$seed" -o "$output" \
        --curve "${output%.h5}.png" "$@"
}

# pack NAME
pack() {
    "$lutra" export "$folder/$1.h5" -o "$folder/pretrained/$1.h5" --force
    "$lutra" evaluate "$folder/pretrained/$1.h5" --data "$data" -q --force \
        --confusion "$folder/$1-confusion.png"
}

# What every student has: the logits of 20 moves of each image are kept, weights are averaged.
student() {
    run "$@" --teacher "$folder/teacher.h5" --set logit_steps=10 --set average_keep=0.999
}

for step in "$@"; do
    case $step in
        teacher) run teacher-cifar10 teacher ;;
        *-relu-6bits)
            name=${step%-6bits}
            begin=
            [ -e "$folder/$step.h5" ] || begin="$folder/$name.h5"
            run "$name" "$step" ${begin:+--init "$begin"} --rounding 6 --p-error 0.01 \
                --epochs 10 --learning-rate 0.004 --set warmup=0
            ;;
        *-relu) run "$step" "$step" ;;
        *-6bits)
            name=${step%-6bits}
            begin=
            [ -e "$folder/$step.h5" ] || begin="$folder/$name.h5"
            student "$name" "$step" ${begin:+--init "$begin"} --rounding 6 --noise 0.2 \
                --epochs 15 --learning-rate 0.008 --set warmup=0 --set views=15
            ;;
        lean*) student "$step" "$step" --epochs 100 --learning-rate 0.06 --set views=20 ;;
        *) student "$step" "$step" --epochs 100 --learning-rate 0.04 --set views=20 ;;
    esac
    pack "$step"
done
