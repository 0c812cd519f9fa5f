# SPDX-License-Identifier: Apache-2.0
"$LUTRA" params --precision 8 --norm 16 --p-error 1e-5 --largest-log2-poly 12 --json
