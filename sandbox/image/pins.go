package image

// The images that the sandbox pulls where a registry answers. What it builds from source where none does has the same
// versions, pinned by the go.mod files under sandbox/source; TestPins compares the two.
const (
	// CertManagerVersion is the tag of cert-manager's images and the version of its chart.
	CertManagerVersion = "v1.21.2"
	// JaegerVersion is Jaeger's own version. Its Go module of the same commit is v1.76.0: from v2 on, Jaeger's
	// tags no longer are versions of its Go module.
	JaegerVersion = "2.13.0"

	certManagerRepository = "quay.io/jetstack/cert-manager-"
	jaegerRepository      = "docker.io/jaegertracing/jaeger"

	// Pause is the image of pod sandboxes and of the sample Head: it is at hand in every sandbox.
	Pause = "registry.k8s.io/pause:3.10.2"
	// PauseOther is the same program under another tag, so that a Head's image can be changed where no
	// registry answers.
	PauseOther = "registry.k8s.io/pause:3.10.1"

	// LocalRepository begins the names of what the sandbox builds itself. The host localhost keeps an engine from ever asking
	// a registry for it.
	LocalRepository = "localhost/operator-tracing/"
)

// CertManagerPrograms are the programs of cert-manager that the sandbox runs, each with an image of its own.
var CertManagerPrograms = []string{"controller", "cainjector", "webhook"}
