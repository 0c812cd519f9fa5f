# SPDX-License-Identifier: Apache-2.0
# Wrong usage names what is wrong on one line; help names the options.
code=0; "$LUTRA" simulate || code=$?
[ "$code" = 2 ]
code=0; "$LUTRA" simulate c.h5 || code=$?
[ "$code" = 2 ]
code=0; "$LUTRA" simulate a.h5 b.h5 --data d.h5 || code=$?
[ "$code" = 2 ]
code=0; "$LUTRA" simulate c.h5 --data d.h5 --mode clean || code=$?
[ "$code" = 2 ]
code=0; "$LUTRA" simulate c.h5 --data d.h5 --limit 0 || code=$?
[ "$code" = 2 ]
code=0; "$LUTRA" simulate c.h5 --data d.h5 --split validation || code=$?
[ "$code" = 2 ]
"$LUTRA" simulate --help
