# What the commands under ci/ share. Sourced.

root=$(cd -P -- "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) || exit 1
. "$root/java/cli/src/main/dist/lib/jdk.bash"
logs=$root/build/logs

say() { printf 'tandem: %s\n' "$*" >&2; }
die() {
  say "$@"
  exit 1
}

# Prints the comment at the top of the calling script, for --help.
usage() { sed -n '2,/^[^#]/{/^#/!q;s/^# \{0,1\}//;p}' "$0"; }

# Versions that ci/setup takes where the machine has none. `sha256sum` of each is checked.
temurin_version=25.0.2+10
declare -A temurin_sha256=(
  [x64]=987387933b64b9833846dee373b640440d3e1fd48a04804ec01a6dbf718e8ab8
  [aarch64]=a9d73e711d967dc44896d4f430f73a68fd33590dabc29a7f2fb9f593425b854c)
maven_version=3.9.16
maven_sha256=80ffca22aed9e8b9713a232f3394fd81d7f20322df75efdb2b047dbd3e3a23bb
clang_format_version=23.1.5
cuda_version=13.0.2
cuda_packages=(nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-runtime==13.0.96
  nvidia-cuda-cccl==13.0.85)
# The first that knows all architectures that we build for.
cuda_minimum=12.8

# Sets `mvn`: the path of a Maven that is not older than 3.8. Its jar's name tells, since starting Maven takes a third
# of a second; where it does not (Debian), the build's enforcer rule has the word.
find_maven() {
  local jar version
  find_cache
  for mvn in "$(type -P mvn)" "${MAVEN_HOME-}/bin/mvn" "$cache"/tools/apache-maven-*/bin/mvn; do
    [[ -x $mvn ]] || continue
    for jar in "$(dirname -- "$(readlink -f -- "$mvn")")"/../lib/maven-core-*.jar; do
      version=${jar##*/maven-core-} version=${version%.jar}
      [[ -e $jar ]] && { [[ $version == *x* ]] || ! newer 3.8 "$version"; } && return
    done
  done
  return 1
}

# Sets `cuda`: the folder of a CUDA toolkit whose compiler is not older than that, the user's choice first.
find_cuda() {
  local version
  find_cache
  for cuda in "${CUDA_HOME-}" "${CUDA_PATH-}" "$(nvcc=$(readlink -f -- "$(type -P nvcc)") && echo "${nvcc%/bin/nvcc}")" \
    /usr/local/cuda /usr/local/cuda-* "$cache/tools/cuda-$cuda_version"; do
    [[ -x $cuda/bin/nvcc && -e $cuda/include/cuda_runtime_api.h ]] || continue
    version=$("$cuda/bin/nvcc" --version 2>/dev/null | sed -n 's/.*release \([0-9.]*\),.*/\1/p')
    [[ $version ]] && ! newer "$cuda_minimum" "$version" && return
  done
  cuda=''
  return 1
}

# Makes the tools that ci/setup found ready for use: JAVA_HOME, PATH, `mvn`. Returns 1 if one is missing.
use_tools() {
  find_jdk javac && find_maven || return
  export JAVA_HOME=$jdk
  PATH=$jdk/bin:${mvn%/*}:${PATH:-/usr/local/bin:/usr/bin:/bin}
  export PATH
  # Maven itself: quick to start, and without the warnings that new JDKs have about its own libraries.
  local options='-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dstyle.color=never'
  ((${java_version%%[!0-9]*} < 24)) ||
    options+=' --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow'
  export MAVEN_OPTS=${MAVEN_OPTS:-$options}
}

# Waits until no other process builds in this tree, and keeps others out until this one ends. Fails if it had to wait
# and the other one finished a build.
take_build_lock() {
  mkdir -p "$root/build" && exec 9>"$root/build/lock" || return
  flock -n 9 && return
  local before after
  before=$(stat -c %Y:%i "$root/build/dist/stamp" 2>/dev/null)
  say "waiting for another build of this folder"
  flock 9
  after=$(stat -c %Y:%i "$root/build/dist/stamp" 2>/dev/null)
  [[ $before == "$after" ]]
}
