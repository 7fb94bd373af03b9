package project

// APIVersion and Kind are what a file must say of itself.
const (
	APIVersion = "sandbox.operator-tracing.dev/v1alpha1"
	Kind       = "Sandbox"
)

// File is sandbox.yaml. Paths in it are relative to the folder that it is in. docs/sandbox-yaml.md has a line for each field,
// which a test holds.
type File struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Operator   Operator `yaml:"operator"`
	Sample     Sample   `yaml:"sample"`
}

// Operator is the operator that the sandbox runs.
type Operator struct {
	// Build says how its program is built. Either Build or Image is there.
	Build *Build `yaml:"build"`
	// Image is a reference to the operator's image: one that the container engine has, or that a registry does.
	Image string `yaml:"image"`
	// Manifests install it: folders with a kustomization, folders of manifests, and files.
	Manifests []string `yaml:"manifests"`
	// Deployment is the name of the manager's Deployment; empty means the only one. Namespace is that Deployment's, where
	// several have the name, and that of manifests that name none.
	Deployment string `yaml:"deployment"`
	Namespace  string `yaml:"namespace"`
	// Container is the manager's in the Deployment; empty means the only one, or that called manager.
	Container string `yaml:"container"`
	// ServiceName is what its spans have as service.name; empty means the Deployment's name.
	ServiceName string `yaml:"serviceName"`
	// Env are variables for the manager, added to those of its Deployment or replacing them.
	Env map[string]string `yaml:"env"`
	// Images are further images that the operator's Pods, or those that it makes, name: nodes never pull.
	Images []string `yaml:"images"`
	// Webhook is what is known of its admission webhook.
	Webhook Webhook `yaml:"webhook"`
	// Embedded is how it runs as a process.
	Embedded Embedded `yaml:"embedded"`
}

// Build is how a Go program is built: CGO_ENABLED=0 go build -trimpath, in its module.
type Build struct {
	// Main is the main package, relative to Module: "./cmd".
	Main string `yaml:"main"`
	// Module is the folder of its go.mod; empty means that of the file.
	Module string `yaml:"module"`
	// Flags are further flags of go build.
	Flags []string `yaml:"flags"`
	// Sources are the folders of the module, beside go.mod and go.sum, whose Go files decide what the build makes. Where they
	// are given, Go is asked only when one of them changed. A workspace takes part only if its go.work is in the module's
	// folder. Empty means that Go decides.
	Sources []string `yaml:"sources"`
}

// Webhook is what can't be seen in the manifests about an admission webhook.
type Webhook struct {
	// Annotation is what the webhook adds to each new object of the sample's kind. The operator then counts as ready when a dry
	// run gets it; a webhook whose failurePolicy is Ignore shows in nothing else that it answers. Empty asks for nothing.
	Annotation string `yaml:"annotation"`
}

// Embedded is how the operator runs where no kubelet is.
type Embedded struct {
	// Args follow those of the manager's container; of a flag that is given twice, Go's programs take the last. What they may
	// name in $(…) is listed in variables.
	Args []string `yaml:"args"`
}

// Sample is the object that shows what the operator does.
type Sample struct {
	// Manifests are applied when the operator is ready. The first custom resource among them is the one whose trace is shown.
	Manifests []string `yaml:"manifests"`
	// Condition is what every custom resource of them must come to, as TYPE=STATUS; empty means Ready=True.
	Condition string `yaml:"condition"`
}
