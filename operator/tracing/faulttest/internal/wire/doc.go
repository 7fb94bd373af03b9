// Package wire reads the requests to a Kubernetes API server and the objects and events in its
// responses, in JSON and protobuf.
package wire
