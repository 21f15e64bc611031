# What the benchmarks share; sourced by them. $here: the sources; $ysdb: the program.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
ysdb=${YSDB:-$here/build/release/bin/ysdb}

# in_own_lab SERVERS [FLAG...]: goes into a directory of its own, $work, with a lab of these servers in lab/ and its environment in this shell; both are
# gone at the end, after at_end, which a benchmark may define.
in_own_lab() {
    work=$(mktemp -d /var/tmp/ysdb-bench.XXXXXX)
    chmod 755 "$work"
    trap 'at_end; "$ysdb" lab down --dir "$work/lab" --destroy --yes --quiet >/dev/null 2>&1; rm -rf "$work"' EXIT
    cd "$work"
    "$ysdb" lab up --dir lab --only "$@" --quiet >/dev/null
    eval "$("$ysdb" lab env --dir lab --shell)"
    server=$YSDB_STORES_MAIN_URL
    [ -z "${YSDB_STORES_MAIN_PASSWORD:-}" ] || export PGPASSWORD=$YSDB_STORES_MAIN_PASSWORD
}
at_end() { :; }

# From here on a ysdb.toml alone says where stores are: lines of it by `stores 'main\|analytics'`, statements to the source by `sql`.
by_configuration() {
    "$ysdb" lab env --dir lab >env.toml
    unset ${!YSDB_*}
}
stores() { grep -A2 "^\[stores\.\($1\)\]" env.toml | grep -v '^--'; }
sql() { psql -qAtX -v ON_ERROR_STOP=1 "$server" -c "$1"; }

median() { sort -n | awk '{v[NR]=$1} END {print (NR % 2) ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }
timed() { local start end; start=$(date +%s.%N); "$@"; end=$(date +%s.%N); echo "$end - $start" | bc -l; }
# The same without what it says.
seconds() { local start end; start=$(date +%s.%N); "$@" >/dev/null; end=$(date +%s.%N); echo "$end - $start" | bc -l; }

# A table of nine columns, and what fills it up to FROM.
wide_table="CREATE TABLE t (id bigint PRIMARY KEY, user_id uuid NOT NULL, kind text NOT NULL, amount numeric(36,18) NOT NULL, price double precision, at timestamptz NOT NULL, block bigint, ok boolean, note text)"
wide_columns="g, md5(g::text)::uuid, 'swap', g * 1.000000000000000001, g / 7.0, timestamptz '2026-01-01' + g * interval '1 second', g * 3, g % 2 = 0, md5((-g)::text)"
# ROWS inserts and 79 in 1,000 as many updates of it, committed by the thousand.
change_wide_table() {
    for ((from = 1; from <= $1; from += 1000)); do
        echo "INSERT INTO t SELECT $wide_columns FROM generate_series($from, $((from + 999))) g;"
        echo "UPDATE t SET note = 'changed' WHERE id BETWEEN $from AND $((from + 78));"
    done | psql -qX "$server"
}
