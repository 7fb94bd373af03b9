#!/usr/bin/env bash
# Breaks package tracing on purpose, one way after the other, and checks that TestTracingChangesNothing notices each.
# doc.go lists the breaks. The sources stay as they are: the go command replaces files by -overlay. Arguments go to the
# test, for example -operators=20. BREAKS selects breaks by a regular expression (default: all).
set -euo pipefail
cd "$(dirname "$0")"

library=$(cd ../.. && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/broken.go" <<'EOF'
package tracing

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

func brokenAnnotate(obj client.Object) client.Object {
	a := maps.Clone(obj.GetAnnotations())
	if a == nil {
		a = map[string]string{}
	}
	a["broken"] = "yes"
	obj.SetAnnotations(a)
	return obj
}

func brokenRead(ctx context.Context, c client.Client, obj client.Object) client.Client {
	_ = c.Get(ctx, client.ObjectKeyFromObject(obj), obj.DeepCopyObject().(client.Object))
	return c
}

func brokenWrite(ctx context.Context, c client.Client, obj client.Object) client.Client {
	_ = c.Update(ctx, obj.DeepCopyObject().(client.Object))
	return c
}

func brokenOptions[T any](opts []T) (out []T) {
	for _, o := range opts {
		if any(o) != any(client.DryRunAll) {
			out = append(out, o)
		}
	}
	return out
}

func brokenPatch(obj client.Object, p client.Patch) client.Patch {
	data, err := p.Data(obj)
	var b bytes.Buffer
	if err != nil || json.Indent(&b, data, "", " ") != nil {
		return p
	}
	return client.RawPatch(p.Type(), b.Bytes())
}
EOF

failed=0
# try NAME FILE SUBSTITUTION replaces in FILE and expects the test to fail.
try() {
  local name=$1 file=$2 substitution=$3 source=$library/$2
  shift 3
  [[ $name =~ ${BREAKS:-.} ]] || return 0
  # BASE is a folder with replacements of sources; it is for tests of this script.
  [[ -n ${BASE:-} && -f $BASE/$file ]] && source=$BASE/$file
  perl -0pe "$substitution" "$source" >"$work/$file"
  if cmp -s "$source" "$work/$file"; then
    printf '%-28s FAIL: the substitution does not match %s; update this script\n' "$name" "$file"
    failed=1
    return
  fi
  {
    printf '{"Replace":{"%s":"%s","%s":"%s"' "$library/broken_break.go" "$work/broken.go" "$library/$file" "$work/$file"
    for base in ${BASE:+"$BASE"/*.go}; do
      [[ $(basename "$base") == "$file" ]] || printf ',"%s":"%s"' "$library/$(basename "$base")" "$base"
    done
    printf '}}'
  } >"$work/overlay.json"
  if ! go test -overlay "$work/overlay.json" -c -o "$work/broken.test" . >"$work/log" 2>&1; then
    printf '%-28s FAIL: does not compile\n%s\n' "$name" "$(head -20 "$work/log")"
    failed=1
  elif "$work/broken.test" -test.run '^TestTracingChangesNothing$' -shrink=0 "$@" >"$work/log" 2>&1; then
    printf '%-28s FAIL: not noticed\n' "$name"
    failed=1
  elif found=$(grep -c 'differs from plain' "$work/log"); then
    printf '%-28s ok: noticed by %s operators\n' "$name" "$found"
  else
    printf '%-28s FAIL: %s\n' "$name" "$(tail -5 "$work/log")"
    failed=1
  fi
}

call() { printf 's/c\\.Client\\.%s\\((\\S+), obj, opts\\.\\.\\.\\)/%s/g' "$1" "$2"; }

try create-annotated client.go "$(call Create 'c.Client.Create($1, brokenAnnotate(obj), opts...)')" "$@"
try create-options-dropped client.go "$(call Create 'c.Client.Create($1, obj)')" "$@"
try update-annotated client.go "$(call Update 'c.Client.Update($1, brokenAnnotate(obj), opts...)')" "$@"
try update-is-patch client.go "$(call Update 'c.Client.Patch($1, obj, client.Merge)')" "$@"
try update-result-changed client.go "s/(err := c\\.Client\\.Update\\(.*\\))/\$1; brokenAnnotate(obj)/g" "$@"
try extra-get client.go "$(call Update 'brokenRead($1, c.Client, obj).Update($1, obj, opts...)')" "$@"
try extra-update client.go "$(call Update 'brokenWrite($1, c.Client, obj).Update($1, obj, opts...)')" "$@"
try dry-run-dropped client.go "$(call Apply 'c.Client.Apply($1, obj, brokenOptions(opts)...)')" "$@"
try patch-marshalled-again client.go 's/c\.Client\.Patch\((\S+), obj, (.+), opts\.\.\.\)/c.Client.Patch($1, obj, brokenPatch(obj, $2), opts...)/g' "$@"
try delete-options-dropped client.go "$(call Delete 'c.Client.Delete($1, obj)')" "$@"
try status-swallowed subresource.go 's/(:?= )t\.writer\.Update\(.*\)/$1error(nil)/g' "$@"
try error-swallowed reconciler.go 's/(result, err = reconciler\(\))/$1; err = nil/g' "$@"
try requeue-dropped reconciler.go 's/(result, err = reconciler\(\))/$1; result = reconcile.Result{}/g' "$@"
try retry-not-limited queue_decorated.go 's/q\.TypedRateLimitingInterface\.AddRateLimited\(item\)/q.TypedRateLimitingInterface.Add(item)/g' "$@"
exit "$failed"
