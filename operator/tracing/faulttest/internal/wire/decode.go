package wire

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// protobufMagic is the prefix of an object in Kubernetes' protobuf encoding.
var protobufMagic = []byte("k8s\x00")

// maxFrame bounds the size of one event of a watch. etcd stores at most 1.5 MiB by default.
const maxFrame = 16 << 20

// ObjectOf decodes the metadata of an object in JSON or protobuf. It returns false for anything else,
// including a Status and a list.
func ObjectOf(data []byte) (metav1.PartialObjectMetadata, bool) {
	obj, ok := MetadataOf(data)
	return obj, ok && (obj.Name != "" || obj.GenerateName != "")
}

// MetadataOf is ObjectOf for objects that may have no name. All kinds have the metadata in the same
// place.
func MetadataOf(data []byte) (metav1.PartialObjectMetadata, bool) {
	var obj metav1.PartialObjectMetadata
	if raw, ok := bytes.CutPrefix(data, protobufMagic); ok {
		var unknown runtime.Unknown
		if unknown.Unmarshal(raw) != nil || unknown.Kind == "Status" || obj.Unmarshal(unknown.Raw) != nil {
			return obj, false
		}
		obj.TypeMeta = metav1.TypeMeta{Kind: unknown.Kind, APIVersion: unknown.APIVersion}
	} else if json.Unmarshal(data, &obj) != nil || obj.Kind == "Status" {
		return metav1.PartialObjectMetadata{}, false
	}
	return obj, true
}

// Plain returns a body without its content encoding, to be read only.
func Plain(header http.Header, body []byte) []byte {
	if header.Get("Content-Encoding") != "gzip" {
		return body
	}
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil
	}
	defer r.Close()
	out, err := io.ReadAll(io.LimitReader(r, maxFrame))
	if err != nil {
		return nil
	}
	return out
}

// Event is an event of a watch.
type Event struct {
	Type   string
	Object []byte // encoded
}

// Frames splits the body of a watch into its events. It keeps the bytes as they are.
type Frames struct {
	r        io.Reader
	Protobuf bool   // the encoding of the events
	buf      []byte // read, but not yet returned
	chunk    []byte
}

var errFrame = errors.New("event of a watch is too large")

// NewFrames reads the body of a watch in JSON or protobuf.
func NewFrames(r io.Reader, contentType string) *Frames {
	return &Frames{r: r, Protobuf: strings.HasPrefix(contentType, runtime.ContentTypeProtobuf), chunk: make([]byte, 32<<10)}
}

// Next returns the bytes of the next event. The bytes are valid until the next call.
func (f *Frames) Next() ([]byte, error) {
	scanned := 0
	for {
		if n := f.complete(scanned); n > 0 {
			frame := f.buf[:n:n]
			f.buf = f.buf[n:]
			return frame, nil
		}
		if scanned = len(f.buf); scanned > maxFrame {
			return nil, errFrame
		}
		n, err := f.r.Read(f.chunk)
		f.buf = append(f.buf, f.chunk[:n]...)
		if err != nil && n == 0 {
			return nil, err
		}
	}
}

// complete returns the length of the first event in the buffer, or 0 if it is not complete. The
// first bytes have been scanned before.
func (f *Frames) complete(scanned int) int {
	if !f.Protobuf {
		if i := bytes.IndexByte(f.buf[scanned:], '\n'); i >= 0 {
			return scanned + i + 1
		}
		return 0
	}
	if len(f.buf) < 4 {
		return 0
	}
	if n := uint64(binary.BigEndian.Uint32(f.buf)) + 4; n <= uint64(len(f.buf)) {
		return int(n) // at most the length of the buffer
	}
	return 0
}

// Rest returns the bytes that are not a complete event.
func (f *Frames) Rest() []byte { return f.buf }

// Decode returns the event in a frame, and false for anything else.
func (f *Frames) Decode(frame []byte) (Event, bool) {
	if f.Protobuf {
		var e metav1.WatchEvent
		if len(frame) < 4 || e.Unmarshal(frame[4:]) != nil {
			return Event{}, false
		}
		return Event{e.Type, e.Object.Raw}, true
	}
	var e struct {
		Type   string          `json:"type"`
		Object json.RawMessage `json:"object"`
	}
	if json.Unmarshal(frame, &e) != nil {
		return Event{}, false
	}
	return Event{e.Type, e.Object}, true
}
