#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each outside library is named in one C file (docs/architecture.md).
set -eu
bad=0
only() { # HEADER_PATTERN FILE
    for file in $(grep -l -E "^#include <$1" base/*.[ch] sim/*.[ch] quant/*.[ch] datasets/*.[ch] train/*.[ch] bridge/*.[ch] cli/*.[ch] 2>/dev/null || true); do
        [ "$file" = "$2" ] || { echo "$file includes <$1...>; only $2 may"; bad=1; }
    done
}
only 'hdf5' base/hdf5_file.c
only 'png\.h' base/png_image.c
only 'cairo' base/canvas.c
only 'cjson' base/json.c
only 'ini\.h' base/ini_file.c
only 'zlib\.h' base/file.c
only 'Random123' base/random.c
only 'omp\.h' base/parallel.c
only '(openblas/)?cblas' train/gemm.c
exit $bad
