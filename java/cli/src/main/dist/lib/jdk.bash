# Finding a JDK and the user's cache folder; for bin/tandem and, in the sources, ci/setup. Sourced. Starts no
# process where a JDK is in a usual place, so it costs a millisecond or two.

tandem_minimum_java=21

# Sets `cache`: the user's cache folder. It is the one that the native library's loader uses.
find_cache() {
  case ${XDG_CACHE_HOME-} in
    /*) cache=$XDG_CACHE_HOME/tandem ;;
    *) cache=${HOME:-$(printf %s ~)}/.cache/tandem ;;
  esac
}

# Sets `java_version` (of the JDK in folder $1, as 25.0.2) and `java_build` (its full build, vendor included), from the
# file `release` that every JDK has. Fails if there is none.
read_release() {
  local line
  java_version='' java_build=''
  [[ -r $1/release ]] || return
  while IFS= read -r line || [[ -n $line ]]; do
    line=${line//\"/}
    case $line in
      JAVA_VERSION=*) java_version=${line#*=} ;;
      JAVA_RUNTIME_VERSION=* | IMPLEMENTOR=* | OS_ARCH=*) java_build+=-${line#*=} ;;
    esac
  done <"$1/release"
  java_build=${java_build//[^A-Za-z0-9.+-]/_}
  [[ -n $java_version ]]
}

# Sets `jdks`: where JDKs usually are, the user's choice first. Not all of these folders are one, or there.
usual_jdks() {
  find_cache
  jdks=("${JAVA_HOME-}" "${JDK_HOME-}" "$cache"/tools/jdk-*
    /usr/lib/jvm/* /usr/lib64/jvm/* /usr/java/* /opt/java/* /opt/*jdk* /opt/*java* /usr/local/*jdk*
    "${HOME-}"/.jdks/* "${HOME-}"/.sdkman/candidates/java/* "${HOME-}"/.asdf/installs/java/*
    "${HOME-}"/.local/share/mise/installs/java/* /home/linuxbrew/.linuxbrew/opt/openjdk*/libexec)
}

# Sets `jdk`, `java_version` and `java_build`: JAVA_HOME if that is new enough, else the newest in the usual places.
# With the argument javac it must have the compiler. Fails if there is none.
find_jdk() {
  local need=${1:-java} folder jdks best='' best_version='' best_build=''
  usual_jdks
  for folder in "${jdks[@]}"; do
    [[ -x $folder/bin/$need ]] && read_release "$folder" || continue
    ((${java_version%%[!0-9]*} >= tandem_minimum_java)) || continue
    if [[ -z $best ]] || newer "$java_version" "$best_version"; then
      best=$folder best_version=$java_version best_build=$java_build
    fi
    # The user's choice.
    [[ $folder == "${JAVA_HOME-}" ]] && break
  done
  jdk=$best java_version=$best_version java_build=$best_build
  [[ -z $jdk ]] || return 0
  # In an unusual place, but on the path.
  folder=$(readlink -f -- "$(type -P "$need")")
  jdk=${folder%/bin/*}
  read_release "$jdk" && ((${java_version%%[!0-9]*} >= tandem_minimum_java))
}

# Whether version $1 is newer than $2, compared number by number.
newer() {
  local IFS=. i
  local -a a b
  read -ra a <<<"${1//[!0-9.]/.}"
  read -ra b <<<"${2//[!0-9.]/.}"
  for ((i = 0; i < ${#a[@]} || i < ${#b[@]}; i++)); do
    ((10#${a[i]:-0} == 10#${b[i]:-0})) || return $((10#${a[i]:-0} < 10#${b[i]:-0}))
  done
  return 1
}
