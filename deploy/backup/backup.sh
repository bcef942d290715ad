#!/usr/bin/env bash
# The nightly job: the database first and the key store after it, so that every key which the
# database's backup knows is in the snapshot; then the inventory. The journal is in none of them.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
status=0
"$here/postgres-backup.sh" || status=1
"$here/vault-snapshot.sh" || status=1
"$here/attest.sh" || status=1
exit "$status"
