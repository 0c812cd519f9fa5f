#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Licence line, line length, tabs, bare TODOs, paths of somebody's machine.
set -eu
bad=0
for file in $(git ls-files '*.c' '*.h' '*.rs' '*.sh' 'setup' '.ci/run' '*.py' 2>/dev/null || find . -name '*.[ch]'); do
    [ -e "$file" ] || continue
    head -3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || { echo "$file: no SPDX line"; bad=1; }
    case $file in
        *.c|*.h|*.rs)
            if grep -n -P '\t' "$file" | head -1 | grep -q .; then echo "$file: a tab"; bad=1; fi
            long=$(LC_ALL=C.UTF-8 grep -n -E '^.{101,}' "$file" | cut -d: -f1 | head -3 | sed "s|^|$file:|")
            if [ -n "$long" ]; then echo "longer than 100 columns: $long"; bad=1; fi
            ;;
    esac
    if grep -n -E '(TODO|FIXME|XXX)([^A-Za-z0-9(-]|$)' "$file" | grep -v 'tests/lint/sources.sh' | grep -v 'XXXXXX' | grep -v 'TODO(#' | grep -q .; then
        case $file in tests/lint/*) ;; *) echo "$file: a bare TODO"; bad=1 ;; esac
    fi
    if grep -n -E '/(home|work|root)/[a-z]' "$file" | grep -q .; then
        case $file in tests/lint/*) ;; *) echo "$file: a path of somebody's machine"; bad=1 ;; esac
    fi
done
exit $bad
