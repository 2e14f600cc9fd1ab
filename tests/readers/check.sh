#!/usr/bin/env bash
# Reads what muster writes with the tools of others: junit.xml with two parsers, the scripts of
# evidence with shellcheck. Needs python3 with venv, and the Python package index.
#
#   tests/readers/check.sh MUSTER
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
muster=${1:?the executable of muster}

if ! python3 -c 'import venv, ensurepip' >/dev/null 2>&1; then
  echo "readers: NOT CHECKED, there is no python3 with venv"
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
if ! "$work/venv/bin/pip" install --quiet --disable-pip-version-check \
  --requirement "$here/requirements.txt"; then
  echo "readers: NOT CHECKED, the Python package index cannot be reached"
  exit 0
fi

# A run that fails, one that passes, and one that is undetermined because its target never came.
run() {
  local name=$1 expected=$2 code=0
  shift 2
  "$muster" conform --report "$work/$name" "$@" >"$work/$name.txt" 2>&1 || code=$?
  if [[ $code != "$expected" ]]; then
    cat "$work/$name.txt"
    echo "readers: the run \`$name\` ended with $code instead of $expected"
    exit 1
  fi
}
run failed 1 --fault M-CONF-last-writer
run passed 0 --only 'VIEW-*'
echo '{"enroll":"http://127.0.0.1:9","manage":"http://127.0.0.1:9","directory":"http://127.0.0.1:9","admin":"http://127.0.0.1:9","control":"http://127.0.0.1:9","tokens":{"control":"none"}}' >"$work/nobody.json"
run undetermined 4 --target-json "$work/nobody.json"

for name in failed passed undetermined; do
  "$work/venv/bin/python" "$here/junit.py" "$work/$name"
done
scripts=("$work"/failed/evidence/*/repeat.sh)
"$work/venv/bin/shellcheck" "${scripts[@]}" "${BASH_SOURCE[0]}"
echo "readers: three reports read by two parsers, ${#scripts[@]} scripts checked"
