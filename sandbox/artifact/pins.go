package artifact

import (
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"
)

// The images that the sandbox pulls if a registry answers. The go.mod files under sandbox/source
// pin the same versions for builds from source; TestPins compares both.
const (
	// CertManagerVersion is the tag of cert-manager's images and the version of its chart.
	CertManagerVersion = "v1.21.2"
	// JaegerVersion is Jaeger's own version. Its Go module of the same commit is v1.76.0, because
	// Jaeger's tags from v2 on are not versions of its Go module.
	JaegerVersion = "2.13.0"

	certManagerRepository = "quay.io/jetstack/cert-manager-"
	// JaegerImage is the name of Jaeger's published image.
	JaegerImage = "docker.io/jaegertracing/jaeger:" + JaegerVersion

	// Pause is the image of pod sandboxes and of the sample Head. Every sandbox has it.
	Pause = "registry.k8s.io/pause:3.10.2"
	// PauseOther is another release of Pause, so that a Head's image can be changed without a
	// registry. Built from source, both are the same image.
	PauseOther = "registry.k8s.io/pause:3.10.1"

	// LocalRepository is the prefix of the names of images that the sandbox built. The host
	// localhost keeps engines from asking a registry for them.
	LocalRepository = "localhost/operator-tracing/"
)

// CertManagerPrograms are the programs of cert-manager that the sandbox runs. Each has its own
// image.
var CertManagerPrograms = []string{"controller", "cainjector", "webhook"}

// digests has the digests of the multi-platform indexes that the published tags named when they
// were pinned. Jaeger's is missing: this repository was written without access to a registry, and
// no public source states it.
var digests = map[string]string{
	CertManagerImage("controller"): "sha256:70f532fd9cfde0b09d55687200942399d89838bc2d5d5b45152eb799a15912b8",
	CertManagerImage("cainjector"): "sha256:c85268c64f2e0e76684bf5fe8906caff34b82523561c6affe0fae3546bd87562",
	CertManagerImage("webhook"):    "sha256:a60e2dac46dbb8a7f3df95c54ce941012f54c2fe022f0ee55aaa1ab40ed957ae",
	Pause:                          "sha256:f548e0e8e3dc1896ca956272154dde3314e8cc4fde0a57577ee9fa1c63f5baf4",
	PauseOther:                     "sha256:278fb9dbcca9518083ad1e11276933a2e96f23de604a3a08cc3c80002767d24c",
}

// CertManagerImage returns the name of the published image of one of CertManagerPrograms.
func CertManagerImage(program string) string {
	return certManagerRepository + program + ":" + CertManagerVersion
}

// References returns the names of the images that are pulled.
func References() []string {
	references := []string{defaults.Image}
	for _, program := range CertManagerPrograms {
		references = append(references, CertManagerImage(program))
	}
	return append(references, JaegerImage, Pause, PauseOther)
}

// Pinned returns the digests of the images that this version of the sandbox pulls.
func Pinned() []string {
	_, node, _ := strings.Cut(defaults.Image, "@")
	return append(slices.Collect(maps.Values(digests)), node)
}

// public returns a reference for a cluster that can reach the public registries, by digest if one
// is pinned.
func public(reference string) string {
	if digest := digests[reference]; digest != "" {
		return reference + "@" + digest
	}
	return reference
}

// PublicCertManager returns references to cert-manager's published images, in the order of
// CertManagerPrograms.
func PublicCertManager() []string {
	var references []string
	for _, program := range CertManagerPrograms {
		references = append(references, public(CertManagerImage(program)))
	}
	return references
}

// PublicJaeger returns the reference to Jaeger's published image.
func PublicJaeger() string { return public(JaegerImage) }
