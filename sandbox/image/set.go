package image

import "context"

// Set is where the images of a sandbox come from. Its methods may be called from several goroutines; each call returns
// the same image for the same inputs, from the cache if it can.
type Set interface {
	// Origin is "registry", "source" or "bundle".
	Origin() string
	// Node is the image of kind's node.
	Node(context.Context, Report) (Image, error)
	// CertManager is cert-manager's images, in the order of CertManagerPrograms.
	CertManager(context.Context, Report) ([]Image, error)
	// Jaeger is the image of Jaeger, all in one.
	Jaeger(context.Context, Report) (Image, error)
	// Samples is the images that the sample Head and the tests name: Pause and PauseOther.
	Samples(context.Context, Report) ([]Image, error)
}
