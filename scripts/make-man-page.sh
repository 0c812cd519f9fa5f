#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes lutra(1) to stdout from the program's own help, so the page cannot disagree with it.
# usage: scripts/make-man-page.sh PROGRAM
set -eu
program=$1
escape() { sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^\\([.']\\)/\\\\\&\\1/"; }
version=$("$program" --version | awk '{print $2}')
printf '.TH LUTRA 1 "" "lutra %s" "User Commands"\n.SH NAME\nlutra \\- quantized neural networks under fully homomorphic encryption\n' "$version"
printf '.SH SYNOPSIS\n.B lutra\nCOMMAND [OPTION...]\n.SH OVERVIEW\n.nf\n'
"$program" help | escape
printf '.fi\n'
for command in $("$program" help | sed -n 's/^  \([a-z]*\)  *.*/\1/p'); do
    printf '.SH LUTRA %s\n.nf\n' "$(printf '%s' "$command" | tr a-z A-Z)"
    "$program" "$command" --help | escape
    printf '.fi\n'
done
