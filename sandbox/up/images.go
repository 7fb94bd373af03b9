package up

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
)

// local is an image that is in the node already: the node never pulls.
func local(i artifact.Image) manifest.Image {
	return manifest.Image{Ref: i.Name(), PullPolicy: corev1.PullNever}
}

// tagOf is the tag in an image's name.
func tagOf(i artifact.Image) string {
	return i.Name()[strings.LastIndexByte(i.Name(), ':')+1:]
}
