# What the tests from outside share (ci/launcher-test, ci/embed-test). Sourced, after common.bash.
#
# Each test is a function test_*, run by itself with `set -e` in an empty folder $PWD; exit code 77 skips it with the
# last line of its output as the reason. All folders are in $work, where tests may keep what others use too.

# --- Assertions -----------------------------------------------------------------------------------

fail() {
  echo "FAILED: $*"
  exit 1
}
equal() { [[ $1 == "$2" ]] || fail "expected '$2', got '$1'"; }
contains() { [[ $1 == *"$2"* ]] || fail "'$2' is not in: $1"; }
lacks() { [[ $1 != *"$2"* ]] || fail "'$2' is in: $1"; }
skip() {
  echo "$*"
  exit 77
}

# --- Running --------------------------------------------------------------------------------------

# Sets `work`, which goes away at the end.
make_work_folder() {
  work=$(mktemp -d) || exit
  trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
}

# run_tests [NAME...]: all, or those whose names contain one of these words. Fails if one fails.
run_tests() {
  local test word passed=0 failed=0 skipped=0
  for test in $(compgen -A function test_); do
    if (($#)); then
      for word; do [[ $test == *"$word"* ]] && break; done
      [[ $test == *"$word"* ]] || continue
    fi
    mkdir "$work/$test"
    (cd "$work/$test" && set -e && "$test") >"$work/output" 2>&1
    case $? in
      0) passed=$((passed + 1)) && echo "ok       ${test#test_}" ;;
      77) skipped=$((skipped + 1)) && echo "skipped  ${test#test_}: $(tail -n 1 "$work/output")" ;;
      *) failed=$((failed + 1)) && echo "FAILED   ${test#test_}" && sed 's/^/         /' "$work/output" ;;
    esac
  done
  echo "tests: $((passed + failed + skipped)), failed: $failed, skipped: $skipped"
  ((failed == 0))
}
