#!/usr/bin/env bash
# Checks everything that must hold, but for the rehearsal: `npm run verify`. It wants what `npm ci` installs, and takes some
# minutes. A check that cannot run here is skipped, with the reason. This is the one list of checks: .ci/run runs it too.
set -uo pipefail
cd "$(dirname "$0")/.."
source scripts/counting.sh

cache="${XDG_CACHE_HOME:-$HOME/.cache}/cdktf-gke-ray"

# The scanner of the policy suite; without it that suite is skipped and says so.
install_checkov() {
  export CHECKOV="$cache/checkov-3.3.30/bin/checkov"
  [ -x "$CHECKOV" ] && return
  rm -rf "$cache/checkov-3.3.30"
  mkdir -p "$cache"
  python3 -m venv "$cache/checkov-3.3.30" && "$cache/checkov-3.3.30/bin/pip" install --quiet checkov==3.3.30 ||
    echo "checkov cannot be installed: needs python3 with venv, and PyPI"
}

# The unit tests on another version of Node.js, which npm's package `node` brings.
unit_on() {
  local version="$1" node=(npm exec --yes --package="node@$1" -- node)
  if "${node[@]}" --version >/dev/null; then
    suite "unit-node-$version" "${node[@]}" node_modules/jest/bin/jest.js --selectProjects unit --maxWorkers=100%
  else
    skip "unit-node-$version: npm cannot fetch Node.js $version"
  fi
}

suite unit npm test --
check lint npm run --silent lint
check typecheck npm run --silent typecheck
check unused-code npm run --silent check:unused
check duplicate-code npm run --silent check:duplicates
check jsii npm run --silent check:jsii
check docs npm run --silent check:docs
check synth npm run --silent synth
unit_on 22
unit_on 24
suite package npx jest --selectProjects package
suite cdktn npm run --silent test:cdktn --
install_checkov
suite terraform npx jest --selectProjects terraform

finish
