package artifact

import (
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// LocalRepository is the prefix of the names of images that the sandbox built. The host localhost
// keeps engines from asking a registry for them.
const LocalRepository = "localhost/operator-tracing/"

// References returns the names of the images in the table of components, without digests.
func References() []string {
	var references []string
	for _, c := range component.All() {
		for _, image := range c.Images {
			tagged, _, _ := strings.Cut(image, "@")
			references = append(references, tagged)
		}
	}
	return references
}

// Pinned returns the digests of these images, as far as they are known.
func Pinned() []string {
	var pinned []string
	for _, c := range component.All() {
		for _, image := range c.Images {
			if _, digest, found := strings.Cut(image, "@"); found {
				pinned = append(pinned, digest)
			}
		}
	}
	return pinned
}
