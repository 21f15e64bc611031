#!/bin/sh
# The lab that live tests share: `fixture_lab.sh up|down YSDB DIR`. up writes DIR.json (YSDB_TEST_STORES); servers that are not on this
# machine are absent from it, and the tests that need them are shown as skipped.
set -eu
command=$1 ysdb=$2 dir=$3
case $command in
up)
    "$ysdb" lab up --dir "$dir" --only postgres,clickhouse,redis,kafka,questdb || test $? = 8
    # Its power is never cut: hundreds of databases come and go there, each with a checkpoint that would wait for the disk.
    settings=$dir/postgres/data/postgresql.auto.conf
    [ ! -e "$settings" ] || { echo "fsync = off" >>"$settings" && "$ysdb" lab kill postgres --signal HUP --dir "$dir" >/dev/null; }
    # YSDB_TEST_CLUSTER_URL: a host of a real ClickHouse cluster, for migrate_cluster_test.cpp
    cluster=${YSDB_TEST_CLUSTER_URL:+'    "cluster": {"url": "'$YSDB_TEST_CLUSTER_URL'"},'}
    (umask 077 && "$ysdb" lab env --dir "$dir" --output json | awk -v cluster="$cluster" '{print} /"stores": \{/ && cluster != "" {print cluster}' >"$dir.json")
    ;;
down)
    "$ysdb" lab down --dir "$dir" --destroy --yes
    rm -f "$dir.json"
    ;;
esac
