package tracing

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func TestBodyChanges(t *testing.T) {
	old := `{"metadata":{"labels":{"a":"1"}},"status":{"ready":true},"spec":{
		"replicas":3,"paused":false,"mode":"auto","cpu":"1","ports":[{"port":80,"targetPort":8080,"protocol":"TCP"}],
		"list":["a","b"],"defaults":{"x":1},"env":[{"name":"A","value":"1"},{"name":"B","value":"2"}]}}`
	for name, tc := range map[string]struct {
		body  string
		style writeStyle
		want  bool
	}{
		"nothing":                         {`{}`, replaces, false},
		"metadata":                        {`{"metadata":{"labels":{"a":"2"}}}`, replaces, false},
		"status":                          {`{"status":{"ready":false}}`, replaces, false},
		"same scalar":                     {`{"spec":{"replicas":3}}`, replaces, false},
		"other scalar":                    {`{"spec":{"replicas":4}}`, replaces, true},
		"scaled to zero":                  {`{"spec":{"replicas":0}}`, replaces, true},
		"false to true":                   {`{"spec":{"paused":true}}`, replaces, true},
		"new field":                       {`{"spec":{"extra":1}}`, replaces, true},
		"new top level field":             {`{"data":{"k":"v"}}`, replaces, true},
		"defaults left out":               {`{"spec":{"ports":[{"port":80}]}}`, replaces, false},
		"service port without a target":   {`{"spec":{"ports":[{"port":80,"targetPort":0}]}}`, replaces, false},
		"empty string":                    {`{"spec":{"mode":""}}`, replaces, false},
		"empty map":                       {`{"spec":{"nothing":{}}}`, replaces, false},
		"null in an update":               {`{"spec":{"replicas":null}}`, replaces, false},
		"null in a merge patch":           {`{"spec":{"replicas":null}}`, merges, true},
		"null of what is not there":       {`{"spec":{"gone":null}}`, merges, false},
		"quantity written in another way": {`{"spec":{"cpu":"1000m"}}`, replaces, false},
		"other quantity":                  {`{"spec":{"cpu":"2"}}`, replaces, true},
		"float of the same value":         {`{"spec":{"replicas":3.0}}`, replaces, false},
		"shorter list":                    {`{"spec":{"list":["a"]}}`, replaces, true},
		"shorter list, applied":           {`{"spec":{"list":["a"]}}`, adds, false},
		"other item":                      {`{"spec":{"list":["a","c"]}}`, replaces, true},
		"item added by apply":             {`{"spec":{"env":[{"name":"C","value":"3"}]}}`, adds, true},
		"item changed by apply":           {`{"spec":{"env":[{"name":"B","value":"3"}]}}`, adds, true},
		"item repeated by apply":          {`{"spec":{"env":[{"name":"B","value":"2"}]}}`, adds, false},
		"strategic merge's order only":    {`{"spec":{"$setElementOrder/env":[{"name":"B"}]}}`, adds, false},
		"strategic merge's delete":        {`{"spec":{"env":[{"$patch":"delete","name":"B"}]}}`, adds, true},
		"type changed":                    {`{"spec":{"list":{"a":1}}}`, replaces, true},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := parseBody([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			o, err := parseBody([]byte(old))
			if err != nil {
				t.Fatal(err)
			}
			if got := b.changes(o, tc.style); got != tc.want {
				t.Errorf("changes: %t, want %t", got, tc.want)
			}
		})
	}
}

func TestEmptyPatch(t *testing.T) {
	const (
		merge = "application/merge-patch+json"
		json6 = "application/json-patch+json"
		apply = "application/apply-patch+yaml"
	)
	for name, tc := range map[string]struct {
		patchType, data string
		want            bool
	}{
		"empty":                {merge, `{}`, true},
		"only the version":     {merge, `{"metadata":{"resourceVersion":"5"}}`, true},
		"a label":              {merge, `{"metadata":{"labels":{"a":"b"}}}`, false},
		"a status":             {merge, `{"status":{}}`, false},
		"no JSON":              {merge, `x`, false},
		"JSON patch, empty":    {json6, `[]`, true},
		"JSON patch":           {json6, `[{"op":"remove","path":"/spec"}]`, false},
		"apply is never empty": {apply, `{}`, false},
	} {
		if got := emptyPatch(types.PatchType(tc.patchType), []byte(tc.data)); got != tc.want {
			t.Errorf("%s: %t, want %t", name, got, tc.want)
		}
	}
}
