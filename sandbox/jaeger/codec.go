package jaeger

import (
	"fmt"

	"github.com/gogo/protobuf/proto"
)

// gogoCodec encodes messages with gogo's runtime. Jaeger's messages use gogo's custom types, on
// which gRPC's own codec panics ("invalid Go type model.TraceID"). Only the calls of this client
// use it, because a registration would affect all gRPC clients in the process.
type gogoCodec struct{}

// Marshal encodes a message of the protobuf API that gogo supports. It returns an error for other
// values.
func (gogoCodec) Marshal(message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("encoding a %T: not a protobuf message", message)
	}
	return proto.Marshal(m)
}

// Unmarshal decodes such a message.
func (gogoCodec) Unmarshal(data []byte, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("decoding a %T: not a protobuf message", message)
	}
	return proto.Unmarshal(data, m)
}

// Name returns the name of gRPC's own codec, because the wire format is the same.
func (gogoCodec) Name() string { return "proto" }
