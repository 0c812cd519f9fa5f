# SPDX-License-Identifier: Apache-2.0
# Without a command: short usage on stderr, exit 2.
"$LUTRA"
