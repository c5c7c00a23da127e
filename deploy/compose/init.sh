#!/bin/sh
# Makes what the nodes need to trust each other: an authority, an identity for each node, the key of the gossip; and the
# master key of the frontends, in a place of its own. What is there stays.
# usage: init.sh AUTHORITY_DIR KEYS_DIR MASTER_KEYS_DIR NODE=ROLES...
set -eu

authority=$1
keys=$2
master_keys=$3
shift 3

[ -e "$authority/ca.key" ] || dunlin ca init "$authority" --cluster compose
[ -e "$keys/gossip.key" ] || dunlin gossip-key "$keys/gossip.key"
[ -e "$master_keys/compose.key" ] || dunlin secret-key new "$master_keys/compose.key"
for node in "$@"; do
    name=${node%%=*}
    roles=${node#*=}
    [ -e "$keys/$name/node.key" ] || dunlin ca issue "$authority" --node "$name" --roles "$roles" --out "$keys/$name"
done
