package state

// Record is what `sandbox up` wrote down about the cluster that it made. The zero value is a sandbox that was never up.
type Record struct {
	// Format is the version of the folder's layout; see [Format]. Zero is that of the first releases, which knew kind alone.
	Format int `json:"format,omitempty"`
	// Name is the cluster's name.
	Name string `json:"name,omitempty"`
	// Cluster is [Kind], [Embedded] or [Existing].
	Cluster string `json:"cluster,omitempty"`
	// File is the sandbox.yaml of the operator that runs; empty for the reference operator.
	File string `json:"file,omitempty"`
	// Provider is the container engine: docker, podman or nerdctl.
	Provider string `json:"provider,omitempty"`
	// ContainersConf is the file to export as CONTAINERS_CONF before anything calls podman; empty for none.
	ContainersConf string `json:"containersConf,omitempty"`
	// Images says where the images came from: registry, source or bundle.
	Images string `json:"images,omitempty"`
	// Bundle is the file that they came from, if they came from one.
	Bundle string `json:"bundle,omitempty"`
	// NodeImage is the image that the node runs.
	NodeImage string `json:"nodeImage,omitempty"`
	// ConfigHash is the hash of kind's configuration that the cluster was made with.
	ConfigHash string `json:"configHash,omitempty"`
	// Creating is true from before kind creates the cluster until it is ready: a command that finds it
	// knows that another was interrupted.
	Creating bool `json:"creating,omitempty"`
	// Ports are Jaeger's on 127.0.0.1.
	Ports Ports `json:"ports,omitzero"`
	// OperatorImage is the image that the operator runs.
	OperatorImage string `json:"operatorImage,omitempty"`
	// OperatorEnv are the variables that the last up was given for the operator, as NAME=VALUE.
	OperatorEnv []string `json:"operatorEnv,omitempty"`
	// ControlPlaneTracing tells whether the API server and etcd send spans to the sandbox's Jaeger.
	ControlPlaneTracing bool `json:"controlPlaneTracing,omitempty"`
	// OperatorReplicas is how many Pods of the operator were asked for; zero leaves that to its manifests.
	OperatorReplicas int `json:"operatorReplicas,omitempty"`
	// JaegerConfig is the file that Jaeger's configuration is taken from; empty for the sandbox's own.
	JaegerConfig string `json:"jaegerConfig,omitempty"`
	// Target is the cluster that existed before, where Cluster is [Existing].
	Target Target `json:"target,omitzero"`
	// ComponentPorts are those of an embedded cluster's own processes on 127.0.0.1.
	ComponentPorts ComponentPorts `json:"componentPorts,omitzero"`
}

// What a cluster can be.
const (
	Kind     = "kind"     // a node in a container engine
	Embedded = "embedded" // processes of this machine
	Existing = "existing" // whatever a kubeconfig of the user's names
)

// Target is a cluster that the sandbox did not make, and what the sandbox has to know about it.
type Target struct {
	// Context is the cluster's in the user's kubeconfig, Server the address of its API server.
	Context string `json:"context,omitempty"`
	Server  string `json:"server,omitempty"`
	// UID is that of the namespace kube-system, by which another cluster of the same name is told.
	UID string `json:"uid,omitempty"`
	// CertManager is the version of a cert-manager that was there before; empty where it is the sandbox's.
	CertManager string `json:"certManager,omitempty"`
	// JaegerEndpoint is where a Jaeger of the user's takes OTLP over gRPC, as the cluster sees it; empty where it is the sandbox's.
	JaegerEndpoint string `json:"jaegerEndpoint,omitempty"`
	// JaegerQuery is where that Jaeger is asked, as this machine sees it; empty where it can't be.
	JaegerQuery string `json:"jaegerQuery,omitempty"`
	// Registry is where images were pushed; empty where they were loaded, or are public.
	Registry string `json:"registry,omitempty"`
}

// Format is the layout of the state folder that this program writes. It reads older ones too.
const Format = 1

// ComponentPorts are TCP ports on 127.0.0.1 of an embedded cluster, Jaeger's users' ports left out. A zero is a port not
// chosen yet.
type ComponentPorts struct {
	Etcd            int `json:"etcd,omitempty"`
	EtcdPeer        int `json:"etcdPeer,omitempty"`
	APIServer       int `json:"apiServer,omitempty"`
	CertManager     int `json:"certManager,omitempty"`     // health of the controller
	CertManagerHook int `json:"certManagerHook,omitempty"` // the webhook, on every address
	OperatorHook    int `json:"operatorHook,omitempty"`
	OperatorHealth  int `json:"operatorHealth,omitempty"`
	JaegerHealth    int `json:"jaegerHealth,omitempty"`
}

// Ports are the TCP ports on 127.0.0.1 on which the sandbox's Jaeger answers. A zero is a port not chosen yet.
type Ports struct {
	UI       int `json:"ui,omitempty"`       // web interface and HTTP query API
	Query    int `json:"query,omitempty"`    // gRPC query API
	OTLPGRPC int `json:"otlpGRPC,omitempty"` // OTLP over gRPC
	OTLPHTTP int `json:"otlpHTTP,omitempty"` // OTLP over HTTP
	Thrift   int `json:"thrift,omitempty"`   // Jaeger Thrift over HTTP
}

// SatisfiedBy tells whether ports in use are as wanted: every port of p that is not zero is the same in used.
func (p Ports) SatisfiedBy(used Ports) bool {
	same := func(wanted, used int) bool { return wanted == 0 || wanted == used }
	return same(p.UI, used.UI) && same(p.Query, used.Query) && same(p.OTLPGRPC, used.OTLPGRPC) &&
		same(p.OTLPHTTP, used.OTLPHTTP) && same(p.Thrift, used.Thrift)
}
