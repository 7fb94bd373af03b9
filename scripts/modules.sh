# shellcheck shell=bash
# The modules of this repository, for scripts that source this file in its root.

# modules are the folders of the modules that others import, each after the modules that it requires. They require each
# other at the version of the last release. scripts/release has the same list, and a test compares the two.
modules=(operator/tracing/spantree operator/tracing operator/tracing/provider sandbox/jaeger .)

# packages are the packages of those modules.
# shellcheck disable=SC2034 # used by scripts that source this file
packages=(./... ./operator/tracing/spantree/... ./operator/tracing/... ./operator/tracing/provider/... ./sandbox/jaeger/...)

# replace_modules adds a replace line to a go.mod for each of the modules, with its folder below the working one. Without
# it, Go cannot read an unpublished version outside of the workspace. The go.mod in the repository must have no such line,
# because `go install` refuses modules with one.
replace_modules() { # go.mod
  local path module arguments=()
  path=$(sed -n 's/^module //p' go.mod)
  for module in "${modules[@]}"; do
    [[ $module == . ]] || arguments+=("-replace=$path/$module=$PWD/$module")
  done
  go mod edit "${arguments[@]}" "$1"
}

# drop_modules removes those lines.
drop_modules() { # go.mod
  local path module arguments=()
  path=$(sed -n 's/^module //p' go.mod)
  for module in "${modules[@]}"; do
    [[ $module == . ]] || arguments+=("-dropreplace=$path/$module")
  done
  go mod edit "${arguments[@]}" "$1"
}
