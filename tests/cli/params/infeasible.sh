# SPDX-License-Identifier: Apache-2.0
# No parameters: said on stdout with everything that was asked, exit 1.
"$LUTRA" params --precision 12 --norm 3 --p-error 1e-5
