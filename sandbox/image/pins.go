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
	// PauseOther is another release of it, so that a Head's image can be changed where no registry answers. Built
	// from source, the two are one image.
	PauseOther = "registry.k8s.io/pause:3.10.1"

	// LocalRepository begins the names of what the sandbox builds itself. The host localhost keeps an engine from ever asking
	// a registry for it.
	LocalRepository = "localhost/operator-tracing/"
)

// digests are those of the indexes of all platforms that the published tags named when they were pinned. Jaeger's image has
// none here: this repository was written where no registry answers, and no public source told it.
var digests = map[string]string{
	certManagerRepository + "controller:" + CertManagerVersion: "sha256:70f532fd9cfde0b09d55687200942399d89838bc2d5d5b45152eb799a15912b8",
	certManagerRepository + "cainjector:" + CertManagerVersion: "sha256:c85268c64f2e0e76684bf5fe8906caff34b82523561c6affe0fae3546bd87562",
	certManagerRepository + "webhook:" + CertManagerVersion:    "sha256:a60e2dac46dbb8a7f3df95c54ce941012f54c2fe022f0ee55aaa1ab40ed957ae",
	Pause:      "sha256:f548e0e8e3dc1896ca956272154dde3314e8cc4fde0a57577ee9fa1c63f5baf4",
	PauseOther: "sha256:278fb9dbcca9518083ad1e11276933a2e96f23de604a3a08cc3c80002767d24c",
}

// CertManagerPrograms are the programs of cert-manager that the sandbox runs, each with an image of its own.
var CertManagerPrograms = []string{"controller", "cainjector", "webhook"}
