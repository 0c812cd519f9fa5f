#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes the reference of all commands to stdout, as Markdown, from the program's own help.
# usage: scripts/make-command-reference.sh PROGRAM
set -eu
program=$1
printf '# Commands of lutra %s\n\nWritten by `make reference` from the help of the program.\n\n```\n' \
    "$("$program" --version | awk '{print $2}')"
"$program" help
printf '```\n'
for command in $("$program" help | sed -n 's/^  \([a-z]*\)  *.*/\1/p'); do
    printf '\n## lutra %s\n\n```\n' "$command"
    "$program" "$command" --help
    printf '```\n'
done
