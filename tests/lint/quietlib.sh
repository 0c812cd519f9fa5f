#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The library never prints, exits or reads the environment. snprintf and write() are allowed:
# the first makes error sentences, the second is the assertion's last word (base/status.c).
set -eu
symbols=$(nm -u "$1" 2>/dev/null | awk 'NF == 2 && $1 == "U" {print $2}' | sort -u)
bad=$(printf '%s\n' "$symbols" | grep -E -x \
    'printf|puts|putchar|fprintf|vprintf|vfprintf|fputs|fputc|perror|exit|_exit|quick_exit|getenv|secure_getenv|setenv|srand|rand|random|time|system|__printf_chk|__fprintf_chk|stdout|stderr' || true)
if [ -n "$bad" ]; then
    echo "the library uses: $bad"
    exit 1
fi
