# SPDX-License-Identifier: Apache-2.0
# Results on stdout; what a large p_error means on stderr.
"$LUTRA" params --precision 5 --norm 16 --p-error 1e-5 --security 132
