#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The main job on real data: train, compile, simulate, verify. Called by ./setup demo.
# usage: scripts/demo.sh PROGRAM OUTPUT_FOLDER
set -eu
lutra=$1
out=$2
data=/usr/share/datasets/fashion-mnist
network=experiments/networks/fmnist-cnn.ini
epochs=${LUTRA_DEMO_EPOCHS:-20}

step() { printf '\n== %s\n' "$*"; }
exec 3>&1 # where commands are shown, also when their output goes to a file
run() { printf '$ %s\n' "$*" >&3; "$@"; }
now() { date +%s; }
# Value of a text "key" in a JSON file.
text() { sed -n "s/.*\"$2\":[[:space:]]*\"\(.*\)\".*/\1/p" "$1" | head -1; }
# Value of a number "key" in a JSON file; the first one found.
value() { sed -n "s/.*\"$2\":[[:space:]]*\([-0-9.eE+]*\).*/\1/p" "$1" | head -1; }
percent() { awk -v x="$1" 'BEGIN {printf "%.2f %%", 100 * x}'; }

mkdir -p "$out"
started=$(now)

step "1. Import Fashion-MNIST (60,000 training and 10,000 test images)"
run "$lutra" dataset import idx "$data" --name fashion-mnist --force -o "$out/fmnist.h5"

step "2. Train a quantized network ($epochs epochs)"
run "$lutra" train "$network" --data "$out/fmnist.h5" --epochs "$epochs" --force \
    --curve "$out/training.png" -o "$out/model.h5"
run "$lutra" evaluate "$out/model.h5" --data "$out/fmnist.h5" --json > "$out/evaluate.json"

step "3. Compile it to an integer circuit: calibrate, round to 6 bits, choose crypto parameters"
run "$lutra" compile "$out/model.h5" --data "$out/fmnist.h5" --force -o "$out/plain.h5" > "$out/plain.txt"
run "$lutra" compile "$out/model.h5" --data "$out/fmnist.h5" --rounding 6 --p-error 0.001 \
    --force -o "$out/circuit.h5"
run "$lutra" inspect "$out/circuit.h5"

step "4. Simulate all 10,000 test images, without and with the noise of FHE"
run "$lutra" simulate "$out/circuit.h5" --data "$out/fmnist.h5" --force \
    --confusion "$out/confusion.png" --gallery "$out/samples.png"
run "$lutra" simulate "$out/circuit.h5" --data "$out/fmnist.h5" --force --mode noisy \
    --layers "$out/layers"
"$lutra" simulate "$out/circuit.h5" --data "$out/fmnist.h5" --json -q > "$out/simulate.json"
"$lutra" simulate "$out/circuit.h5" --data "$out/fmnist.h5" --mode noisy --json -q \
    > "$out/noisy.json"
"$lutra" simulate "$out/plain.h5" --data "$out/fmnist.h5" --json -q > "$out/plain.json"

step "5. Verify one sample under real FHE (tfhe-rs)"
verified=no
if [ "${BRIDGE:-1}" = 1 ]; then
    run "$lutra" verify "$out/circuit.h5" --data "$out/fmnist.h5" --samples 1 --force \
        --json -o "$out/verify" > "$out/verify.json"
    verified=yes
fi

step "Summary"
printf 'accuracy of the quantized model      %s\n' "$(percent "$(value "$out/evaluate.json" top1)")"
printf 'simulated circuit without rounding   %s\n' "$(percent "$(value "$out/plain.json" top1)")"
printf 'simulated circuit, 6-bit rounding    %s   (%s images in %.2f s)\n' \
    "$(percent "$(value "$out/simulate.json" top1)")" \
    "$(value "$out/simulate.json" images)" "$(value "$out/simulate.json" seconds)"
printf '  with the noise of FHE              %s\n' "$(percent "$(value "$out/noisy.json" top1)")"
if [ $verified = yes ]; then
    printf 'real FHE, 1 sample                   %s look-ups, %s with a wrong result, %.1f predicted\n' \
        "$(value "$out/verify.json" pbs_run)" "$(value "$out/verify.json" mismatches)" \
        "$(value "$out/verify.json" expected_mismatches)"
    printf '                                     same answer as the simulation: %s of 1\n' \
        "$(value "$out/verify.json" top1_agree)"
    printf '                                     noise model and ciphertexts: %s\n' \
        "$(text "$out/verify.json" verdict)"
    printf '                                     key generation %.1f s, encrypted run %.1f s\n' \
        "$(value "$out/verify.json" keygen_seconds)" "$(value "$out/verify.json" run_seconds)"
else
    echo 'real FHE                             left out (BRIDGE=0)'
fi
printf 'time without the build               %s s\n' "$(($(now) - started))"
echo "pictures: $out/samples.png (samples with predictions), $out/training.png, $out/confusion.png"
echo "Research use only, not audited. A p_error above 2^-64 means: never share decrypted results"
echo "with whoever evaluates. tfhe-rs is patented: commercial use needs Zama's licence (README)."
