# SPDX-License-Identifier: Apache-2.0
"$LUTRA" --version
