package project

// APIVersion and Kind are the required values of apiVersion and kind.
const (
	APIVersion = "sandbox.operator-tracing.dev/v1alpha1"
	Kind       = "Sandbox"
)

// File is the content of sandbox.yaml. Paths in it are relative to its folder. docs/sandbox-yaml.md
// documents each field, and a test checks that.
type File struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Operator   Operator `yaml:"operator"`
	Sample     Sample   `yaml:"sample"`
	Budget     Budget   `yaml:"budget"`
	Faults     Faults   `yaml:"faults"`
}

// Operator is the operator that the sandbox runs.
type Operator struct {
	// Build describes how to build the program. Exactly one of Build and Image is set.
	Build *Build `yaml:"build"`
	// Image is a reference to an image of the operator in the container engine or a registry.
	Image string `yaml:"image"`
	// Manifests install the operator: folders with a kustomization, folders of manifests, and
	// files.
	Manifests []string `yaml:"manifests"`
	// Deployment is the name of the manager's Deployment; empty means the only one. Namespace
	// selects the Deployment if several have this name. It is also the namespace of manifests
	// without one.
	Deployment string `yaml:"deployment"`
	Namespace  string `yaml:"namespace"`
	// Container is the name of the manager's container in the Deployment; empty means the only one,
	// or the one called manager.
	Container string `yaml:"container"`
	// ServiceName is the service.name of the operator's spans (default the name of the Deployment).
	ServiceName string `yaml:"serviceName"`
	// Env are environment variables for the manager. They override the variables of its Deployment.
	Env map[string]string `yaml:"env"`
	// Images are additional images of the operator's Pods, or of Pods that the operator creates.
	// Nodes never pull images.
	Images []string `yaml:"images"`
	// Skip are kinds, as KIND.GROUP, whose objects in the manifests are not applied.
	Skip []string `yaml:"skip"`
	// Webhook describes the admission webhook.
	Webhook Webhook `yaml:"webhook"`
	// Embedded configures the operator as a process.
	Embedded Embedded `yaml:"embedded"`
}

// Build configures the build of a Go program: CGO_ENABLED=0 go build -trimpath, in its module.
type Build struct {
	// Main is the main package, relative to Module, for example "./cmd".
	Main string `yaml:"main"`
	// Module is the folder of its go.mod (default the folder of the file).
	Module string `yaml:"module"`
	// Flags are additional flags of go build.
	Flags []string `yaml:"flags"`
	// Sources are the folders of the module whose Go files, together with go.mod and go.sum,
	// determine the result of the build. If Sources is not empty, the sandbox runs Go only if one
	// of these files changed. A workspace is considered only if its go.work is in the folder of the
	// module. If Sources is empty, Go determines the files.
	Sources []string `yaml:"sources"`
}

// Webhook describes properties of an admission webhook that the manifests do not contain.
type Webhook struct {
	// Annotation is an annotation that the webhook adds to each new object of the sample's kind. If
	// set, the operator is ready when a dry run returns the annotation. There is no other way to
	// check a webhook whose failurePolicy is Ignore.
	Annotation string `yaml:"annotation"`
}

// Embedded configures how the operator runs without a kubelet.
type Embedded struct {
	// Args are appended to the arguments of the manager's container. If a flag occurs twice, Go
	// programs use the last value. Args can contain $(NAME) for the names in variables.
	Args []string `yaml:"args"`
}

// Sample describes the sample objects.
type Sample struct {
	// Manifests are applied when the operator is ready. The trace of the first custom resource in
	// them is shown.
	Manifests []string `yaml:"manifests"`
	// Condition is the condition that every custom resource in Manifests must reach, as TYPE=STATUS
	// (default Ready=True).
	Condition string `yaml:"condition"`
	// DefinedBy is "operator" if the operator defines the kinds of Manifests when it starts; empty
	// if the operator's manifests define them.
	DefinedBy string `yaml:"definedBy"`
}

// Budget limits the trace of an object. `sandbox trace --check=sandbox.yaml` checks it.
type Budget struct {
	// Limits are limits of counts, as in the budget of an expected tree, for example "writes<=6".
	Limits []string `yaml:"limits"`
	// Findings are the IDs of findings that must not occur, or "any".
	Findings []string `yaml:"findings"`
}

// Faults configures `sandbox faults run`.
type Faults struct {
	// Update are manifests that change the sample when it is ready (default no change). Objects
	// without a namespace are in the namespace of the sample.
	Update []string `yaml:"update"`
}
