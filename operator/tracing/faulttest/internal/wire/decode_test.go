package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/wire/wiretest"
)

func TestObjectOf(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{
		"JSON":     []byte(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"ns-1","uid":"u","resourceVersion":"7","generateName":"g-"}}`),
		"protobuf": wiretest.ConfigMap("a"),
	} {
		obj, ok := ObjectOf(data)
		got := fmt.Sprint(ok, obj.Kind, obj.APIVersion, obj.Namespace, obj.Name, obj.UID, obj.ResourceVersion, obj.GenerateName)
		if want := fmt.Sprint(true, "ConfigMap", "v1", "ns-1", "a", "u", "7", "g-"); got != want {
			t.Errorf("%s: ObjectOf() = %s, want %s", name, got, want)
		}
	}
	for _, data := range []string{"", "{", `{"kind":"Status","metadata":{"name":"a"}}`, `{"kind":"ConfigMapList","metadata":{}}`, "k8s\x00", "k8s\x00\xff\xff"} {
		if obj, ok := ObjectOf([]byte(data)); ok {
			t.Errorf("ObjectOf(%q) = %+v, want none", data, obj)
		}
	}
}

func FuzzObjectOf(f *testing.F) {
	f.Add(wiretest.ConfigMap("a"))
	f.Add([]byte(`{"metadata":{"name":"a"}}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		ObjectOf(data)
		for _, contentType := range []string{"application/json", "application/vnd.kubernetes.protobuf"} {
			frames := NewFrames(bytes.NewReader(data), contentType)
			for frame, err := frames.Next(); err == nil; frame, err = frames.Next() {
				frames.Decode(frame)
			}
		}
	})
}

// TestFrames: frames of any encoding are split at the same places, however the bytes arrive.
func TestFrames(t *testing.T) {
	t.Parallel()
	for contentType, input := range map[string][]string{
		"application/json": {"{\"a\":1}\n", "\n", "{}\n"},
		"application/vnd.kubernetes.protobuf;stream=watch": {"\x00\x00\x00\x02ab", "\x00\x00\x00\x00", "\x00\x00\x00\x01\n"},
	} {
		for size := 1; size < 8; size++ {
			f := NewFrames(&chunks{strings.NewReader(strings.Join(input, "") + "\x00"), size}, contentType)
			for _, want := range input {
				if got, err := f.Next(); err != nil || string(got) != want {
					t.Errorf("%s in chunks of %d: Next() = %q, %v, want %q", contentType, size, got, err, want)
				}
			}
			if _, err := f.Next(); !errors.Is(err, io.EOF) || string(f.Rest()) != "\x00" {
				t.Errorf("%s: Next() = %v with the rest %q, want the end", contentType, err, f.Rest())
			}
		}
	}
}

// chunks reads a few bytes at a time.
type chunks struct {
	io.Reader

	size int
}

func (c *chunks) Read(p []byte) (int, error) { return c.Reader.Read(p[:min(len(p), c.size)]) }
