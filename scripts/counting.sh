# Counts what checks and tests did: sourced by scripts/verify.sh and .ci/run, which end with one line of these counts.
results="$(mktemp -d)"
trap 'rm -rf "$results"' EXIT
passed=0 failed=0 skipped=0

# One check that passes or fails as a whole.
check() {
  local name="$1"
  shift
  echo "== $name"
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAILED: $name"; fi
}

skip() {
  skipped=$((skipped + 1)) && echo "skipped: $1"
}

# A test suite, whose tests are counted one by one. The command must understand jest's arguments.
suite() {
  local name="$1" report="$results/$1.json"
  shift
  echo "== $name"
  "$@" --json --outputFile="$report" >/dev/null
  local status=$?
  if [ ! -s "$report" ]; then
    failed=$((failed + 1)) && echo "FAILED: $name did not run"
    return
  fi
  local counts
  counts=($(node -e '
    const report = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
    console.log(report.numPassedTests, report.numFailedTests + report.numRuntimeErrorTestSuites, report.numPendingTests);
  ' "$report"))
  echo "$name: ${counts[0]} passed, ${counts[1]} failed, ${counts[2]} skipped"
  add "$name" "$status" "${counts[@]}"
}

# A command whose last line counts what it ran.
counted() {
  local name="$1" output="$results/$1.txt"
  shift
  echo "== $name"
  "$@" 2>&1 | tee "$output"
  local status=${PIPESTATUS[0]}
  local counts
  counts=($(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$output" | tail -n 1))
  if [ "${#counts[@]}" -ne 3 ]; then
    failed=$((failed + 1)) && echo "FAILED: $name did not finish"
    return
  fi
  add "$name" "$status" "${counts[@]}"
}

# Adds what a command counted; a command that fails without a failed test counts as one.
add() {
  local name="$1" status="$2"
  passed=$((passed + $3)) failed=$((failed + $4)) skipped=$((skipped + $5))
  if [ "$status" -ne 0 ] && [ "$4" -eq 0 ]; then
    failed=$((failed + 1)) && echo "FAILED: $name ended with status $status"
  fi
}

# Ends the script with the counts, and with status 1 if anything failed.
finish() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
  exit
}
