# SPDX-License-Identifier: Apache-2.0
# Below 2^-64 there is nothing to warn of; every choice is named.
"$LUTRA" params --precision 4 --norm 5 --p-error 1e-38 --security 132 --noise-model tfhe-rs \
    --modulus-switch centred
