package jaeger

import (
	"fmt"

	"github.com/gogo/protobuf/proto"
)

// gogoCodec encodes messages with gogo's runtime. Jaeger's messages use its
// custom types, on which gRPC's own codec panics ("invalid Go type
// model.TraceID"). It is given to this client's calls only: registering it for
// the process would change every other gRPC client in it.
type gogoCodec struct{}

// Marshal gives the bytes of a message of the protobuf API that gogo knows; anything else is an error.
func (gogoCodec) Marshal(message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("encoding a %T: not a protobuf message", message)
	}
	return proto.Marshal(m)
}

// Unmarshal reads bytes into such a message.
func (gogoCodec) Unmarshal(data []byte, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("decoding a %T: not a protobuf message", message)
	}
	return proto.Unmarshal(data, m)
}

// Name is that of gRPC's own codec: the bytes on the wire are the same.
func (gogoCodec) Name() string { return "proto" }
