# SPDX-License-Identifier: Apache-2.0
# A row of the reference table: 4 bits, norm 2^4, 4 sigma, 4096 additions.
"$LUTRA" params --precision 4 --norm 16 --p-error 6.3342484e-5 --sum-size 4096 --json > set.json
for line in '"schema":.*"lutra.params/1"' '"feasible":.*true' '"glwe_dim":.*2,' '"log2_poly":.*10,' \
    '"lwe_dim":.*805,' '"pbs_level":.*1,' '"pbs_base_log":.*23,' '"ks_level":.*3,' \
    '"ks_base_log":.*4,' '"security_bits":.*128,' '"curve":.*128 bits, 2025-06-16"' \
    '"curve_date":.*"2025-06-16"' '"noise_model":.*"concrete"' '"modulus_switch":.*"standard"' \
    '"p_error":.*6\.2[0-9]*e-05' '"lwe_std":' '"glwe_std":' '"bootstrap_key_bytes":.*59351040,' \
    '"keyswitch_key_bytes":.*39616512,' '"ciphertext_bytes":.*16392,'; do
    grep -q -e "$line" set.json || { echo "no line like $line" >&2; cat set.json >&2; exit 1; }
done
