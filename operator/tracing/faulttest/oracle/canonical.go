package oracle

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/wire"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

// canonical is a snapshot in a form that is equal for equal runs: the fields of the objects, by the
// normalised names of the objects. Several objects may have the same normalised name.
type canonical map[string][]fields

// fields are the values of an object by their paths.
type fields map[string]string

// dropped are the fields of the metadata that are never compared. The number of writes of a
// converged object does not matter, and the generation counts them.
var dropped = []string{"uid", "resourceVersion", "creationTimestamp", "managedFields", "selfLink", "generation", "deletionGracePeriodSeconds"}

// canonicalise normalises a snapshot of a run in a namespace.
func canonicalise(namespace string, s Snapshot) canonical {
	names := wire.NewNames(namespace)
	var replaced []string
	for _, obj := range s {
		name := objectName(names, obj)
		if uid := string(obj.GetUID()); uid != "" {
			replaced = append(replaced, uid, "uid of "+name)
		}
		if prefix := obj.GetGenerateName(); prefix != "" && strings.HasPrefix(obj.GetName(), prefix) {
			replaced = append(replaced, obj.GetName(), prefix+"*")
		}
	}
	if namespace != "" {
		replaced = append(replaced, namespace, plan.RunNamespace)
	}
	replacer := strings.NewReplacer(replaced...)

	out := canonical{}
	for _, obj := range s {
		name := objectName(names, obj)
		f := fields{}
		f.add("", prepare(obj), replacer, obj.GetGeneration())
		out[name] = append(out[name], f)
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b fields) int { return cmp.Compare(a.text(), b.text()) })
	}
	return out
}

// objectName returns the normalised name of an object, for example "ConfigMap web-*".
func objectName(names *wire.Names, obj unstructured.Unstructured) string {
	o := wire.Object{Group: obj.GroupVersionKind().Group, Resource: obj.GetKind(), Namespace: obj.GetNamespace(), Name: obj.GetName()}
	names.Learn(o, obj.GetGenerateName())
	name := obj.GetKind() + " "
	if ns := names.Namespace(o.Namespace); ns != plan.RunNamespace && ns != "" {
		name += ns + "/"
	}
	return name + names.Name(o)
}

// prepare returns a copy of the object without the dropped fields and with decoded secrets.
func prepare(obj unstructured.Unstructured) map[string]any {
	content := obj.DeepCopy().Object
	if meta, ok := content["metadata"].(map[string]any); ok {
		for _, field := range dropped {
			delete(meta, field)
		}
	}
	if data, ok := content["data"].(map[string]any); ok && obj.GetKind() == "Secret" && obj.GetAPIVersion() == "v1" {
		for key, value := range data {
			text, _ := value.(string)
			if decoded, err := base64.StdEncoding.DecodeString(text); err == nil && utf8.Valid(decoded) {
				data[key] = string(decoded)
			}
		}
	}
	return content
}

// add adds the values below a path.
func (f fields) add(path string, value any, replacer *strings.Replacer, generation int64) {
	switch v := value.(type) {
	case map[string]any:
		for key, child := range v {
			if n, ok := child.(int64); ok && key == "observedGeneration" {
				child = "the object's generation"
				if n != generation {
					child = "another generation"
				}
			}
			key = replacer.Replace(key)
			if strings.ContainsAny(key, ".[]:") {
				key = strconv.Quote(key)
			}
			f.add(strings.TrimPrefix(path+"."+key, "."), child, replacer, generation)
		}
		if len(v) == 0 {
			f[path] = "{}"
		}
	case []any:
		keys := listKeys(v)
		for i, child := range v {
			f.add(path+"["+replacer.Replace(keys[i])+"]", child, replacer, generation)
		}
		if len(v) == 0 {
			f[path] = "[]"
		}
	case string:
		if _, err := time.Parse(time.RFC3339Nano, v); err == nil {
			v = "a time"
		}
		f[path] = strconv.Quote(replacer.Replace(v))
	default:
		text, err := json.Marshal(v)
		if err != nil {
			text = fmt.Append(nil, v)
		}
		f[path] = string(text)
	}
}

// listKeys returns the keys of the elements of a list: their type or name if these are unique, and
// otherwise their indices.
func listKeys(list []any) []string {
	for _, field := range []string{"type", "name"} {
		keys := make([]string, 0, len(list))
		for _, element := range list {
			m, _ := element.(map[string]any)
			if value, ok := m[field].(string); ok && !slices.Contains(keys, field+"="+value) {
				keys = append(keys, field+"="+value)
			}
		}
		if len(keys) == len(list) {
			return keys
		}
	}
	keys := make([]string, len(list))
	for i := range keys {
		keys[i] = strconv.Itoa(i)
	}
	return keys
}

func (f fields) text() string {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(f)) {
		b.WriteString(path + "=" + f[path] + "\n")
	}
	return b.String()
}

// differences returns the differences of got that the mask does not hide. A verdict without a path
// is about the number of objects.
func (c canonical) differences(got canonical, mask *Mask) []Verdict {
	all := maps.Clone(c)
	maps.Copy(all, got)
	var out []Verdict
	missing, extra := map[string][]fields{}, map[string][]fields{} // by kind
	for _, name := range slices.Sorted(maps.Keys(all)) {
		wants, gots := c[name], got[name]
		kind, _, _ := strings.Cut(name, " ")
		switch {
		case len(wants) == len(gots):
			out = append(out, differences(name, wants, gots, mask)...)
		case len(gots) == 0:
			missing[kind] = append(missing[kind], wants...)
		case len(wants) == 0:
			extra[kind] = append(extra[kind], gots...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		wants, gots := c[name], got[name]
		kind, _, _ := strings.Cut(name, " ")
		// Names that the operator chooses at random differ in each run.
		random := len(missing[kind]) > 0 && len(missing[kind]) == len(extra[kind])
		if len(wants) != len(gots) && (!random || len(wants) > 0 && len(gots) > 0) {
			out = append(out, Verdict{Kind: ObjectsDiffer, Object: name, Want: count(len(wants)), Got: count(len(gots))})
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(missing)) {
		if len(missing[kind]) == len(extra[kind]) {
			out = append(out, differences(kind+" ?", missing[kind], extra[kind], mask)...)
		}
	}
	return out
}

// differences compares as many objects with each other.
func differences(name string, wants, gots []fields, mask *Mask) []Verdict {
	var out []Verdict
	for i, want := range wants {
		out = append(out, want.differences(name, gots[i], mask)...)
	}
	return out
}

func count(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "1 object"
	}
	return fmt.Sprintf("%d objects", n)
}

func (f fields) differences(name string, got fields, mask *Mask) []Verdict {
	paths := maps.Clone(f)
	maps.Copy(paths, got)
	var out []Verdict
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if f[path] != got[path] && !mask.hides(name, path) {
			out = append(out, Verdict{Kind: ObjectsDiffer, Object: name, Path: path, Want: f[path], Got: got[path]})
		}
	}
	return out
}
