#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The include law: which folder may include whom (docs/architecture.md).
set -eu
allowed() {
    case $1 in
        base) echo 'base/' ;;
        sim) echo 'base/ sim/' ;;
        quant) echo 'base/ quant/ sim/circuit.h' ;;
        datasets) echo 'base/ datasets/' ;;
        train) echo 'base/ quant/ datasets/ train/' ;;
        bridge) echo 'base/ sim/ bridge/' ;;
        experiments) echo 'base/ sim/ quant/ datasets/ train/ bridge/ experiments/' ;;
        cli) echo 'base/ sim/ quant/ datasets/ train/ bridge/ experiments/ cli/' ;;
    esac
}
bad=0
for folder in base sim quant datasets train bridge experiments cli; do
    for file in "$folder"/*.[ch]; do
        [ -e "$file" ] || continue
        for include in $(sed -n 's/^#include "\(.*\)".*/\1/p' "$file"); do
            ok=0
            for prefix in $(allowed "$folder"); do
                case $include in "$prefix"*) ok=1 ;; esac
            done
            case $folder:$include in
                cli:*_priv.h) ok=0 ;;
                # only the files over tfhe-rs know the Rust library's header
                bridge:bridge/tfhe/lutra_tfhe.h) [ "$file" = bridge/tfhe_priv.h ] || ok=0 ;;
                bridge:bridge/tfhe_priv.h)
                    case $file in bridge/tfhe_*.c) ;; *) ok=0 ;; esac ;;
            esac
            if [ "$ok" = 0 ]; then
                echo "$file includes \"$include\": $folder may include only $(allowed "$folder")"
                bad=1
            fi
        done
    done
done
exit $bad
