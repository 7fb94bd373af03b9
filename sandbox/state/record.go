package state

import (
	"encoding/json"
	"fmt"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// Record describes the cluster that `sandbox up` created. The zero value is a sandbox that was
// never up.
type Record struct {
	// Format is the version of the folder's layout; see [Format]. Zero is the version of the first
	// releases, which supported only kind.
	Format int `json:"format,omitempty"`
	// Name is the name of the cluster.
	Name string `json:"name,omitempty"`
	// Cluster is [component.Kind], [component.Embedded] or [component.Existing].
	Cluster string `json:"cluster,omitempty"`
	// File is the sandbox.yaml of the running operator; empty for the reference operator.
	File string `json:"file,omitempty"`
	// Provider is the container engine: docker, podman or nerdctl.
	Provider string `json:"provider,omitempty"`
	// ContainersConf is the file to export as CONTAINERS_CONF before running podman; empty for
	// none.
	ContainersConf string `json:"containersConf,omitempty"`
	// Images is the origin of the images: registry, source or bundle.
	Images string `json:"images,omitempty"`
	// Bundle is the path of the bundle, if Images is bundle.
	Bundle string `json:"bundle,omitempty"`
	// NodeImage is the image of the node.
	NodeImage string `json:"nodeImage,omitempty"`
	// ConfigHash is the hash of kind's configuration when the cluster was created.
	ConfigHash string `json:"configHash,omitempty"`
	// Creating is true from before kind creates the cluster until the cluster is ready. If a
	// command reads true, an earlier command was interrupted.
	Creating bool `json:"creating,omitempty"`
	// Ports are the ports of the table on 127.0.0.1.
	Ports component.Ports `json:"ports,omitempty"`
	// OperatorImage is the image of the operator.
	OperatorImage string `json:"operatorImage,omitempty"`
	// OperatorEnv are the environment variables for the operator that the user passed to the last
	// up, as NAME=VALUE.
	OperatorEnv []string `json:"operatorEnv,omitempty"`
	// ControlPlaneTracing is true if the API server and etcd send spans to the sandbox's Jaeger.
	ControlPlaneTracing bool `json:"controlPlaneTracing,omitempty"`
	// NotObserved is true if the sandbox has no observer.
	NotObserved bool `json:"notObserved,omitempty"`
	// OperatorReplicas is the requested number of operator Pods; zero keeps the number in its
	// manifests.
	OperatorReplicas int `json:"operatorReplicas,omitempty"`
	// IgnoredFailures counts, by webhook, the failures that the API server had ignored when the
	// operator was ready. The checks of the last up caused most of them.
	IgnoredFailures map[string]int `json:"ignoredFailures,omitempty"`
	// TracedSample is the UID of the sample whose trace an up showed.
	TracedSample string `json:"tracedSample,omitempty"`
	// JaegerConfig is the path of Jaeger's configuration; empty for the sandbox's own.
	JaegerConfig string `json:"jaegerConfig,omitempty"`
	// JaegerPassword is the password of Jaeger's page behind its gate; see package companion.
	JaegerPassword string `json:"jaegerPassword,omitempty"`
	// Target is the existing cluster, if Cluster is [component.Existing].
	Target Target `json:"target,omitzero"`
	// ComponentPorts are the other ports on 127.0.0.1, by the names of the table's listeners. A kind
	// cluster has only [component.JaegerPage].
	ComponentPorts component.Ports `json:"componentPorts,omitempty"`
}

// Target describes an existing cluster.
type Target struct {
	// Context is the context of the cluster in the user's kubeconfig, and Server the address of its
	// API server.
	Context string `json:"context,omitempty"`
	Server  string `json:"server,omitempty"`
	// UID is the UID of the namespace kube-system. It identifies the cluster, because another
	// cluster can have the same name.
	UID string `json:"uid,omitempty"`
	// Found are the versions of components that the cluster had before, by their names. The sandbox
	// does not change them.
	Found map[string]string `json:"found,omitempty"`
	// JaegerEndpoint is the OTLP gRPC address of the user's Jaeger, reachable from the cluster;
	// empty for the sandbox's Jaeger.
	JaegerEndpoint string `json:"jaegerEndpoint,omitempty"`
	// JaegerQuery is the query address of the user's Jaeger, reachable from this machine; empty if
	// it is not reachable.
	JaegerQuery string `json:"jaegerQuery,omitempty"`
	// Registry is the registry to which images were pushed; empty if they were loaded into the
	// nodes or are public.
	Registry string `json:"registry,omitempty"`
}

// Format is the layout version of the state folder that this program writes. The program also reads
// older versions.
const Format = 1

// UnmarshalJSON implements [json.Unmarshaler]. Older versions had a field for the only component that
// they looked for.
func (t *Target) UnmarshalJSON(data []byte) error {
	type plain Target // without this method
	old := struct {
		*plain
		CertManager string `json:"certManager"`
	}{plain: (*plain)(t)}
	if err := json.Unmarshal(data, &old); err != nil {
		return fmt.Errorf("reading the existing cluster: %w", err)
	}
	if old.CertManager != "" {
		t.Found = map[string]string{component.CertManager: old.CertManager}
	}
	return nil
}
