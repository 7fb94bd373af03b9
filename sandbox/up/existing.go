package up

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/existing"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
	"github.com/operator-tracing/sandbox/sandbox/state"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// shared is what a run on a cluster that existed before has found out.
type shared struct {
	existing bool
	// wanted is what the record becomes when the user has agreed.
	wanted state.Target
	// changes are what up will do that it has not done before, a line each.
	changes []string
	// Images get into the cluster's nodes, or into a registry's folder, or are there for everybody.
	nodes  *cluster.Nodes
	folder *artifact.Folder
	public bool
	// pushed are the references of images that the cluster pulls, by their own names.
	pushed   map[string]manifest.Image
	pushedMu sync.Mutex
	forward  forward
}

// Existing tells whether the run's cluster is one that the sandbox did not make.
func (r *Run) Existing() bool { return r.existing }

// useExisting connects to the cluster of a context and looks at what is there. It changes nothing in the cluster.
func (r *Run) useExisting(ctx context.Context, report report) error {
	r.existing = true
	r.wanted = r.Record.Target
	source, err := r.findContext()
	if err != nil {
		return err
	}
	if source != nil {
		if err := source.Copy(r.Dir.Kubeconfig()); err != nil {
			return state.Remedy(err)
		}
		r.wanted.Context, r.wanted.Server = source.Context, source.Server
	}
	target, err := r.Target()
	if err != nil {
		return err
	}
	uid, err := workload.UID(ctx, target)
	if err != nil {
		return fmt.Errorf("asking the cluster of context %s: %w", r.wanted.Context, err)
	}
	if before := r.Record.Target.UID; before != "" && before != uid {
		return fmt.Errorf("the context %s leads to another cluster than when the sandbox %s was made: choose another --name, or, if that cluster is gone, remove the folder %s",
			r.wanted.Context, r.Name, r.Dir.Path)
	}
	r.wanted.UID = uid
	if err := r.chooseJaeger(); err != nil {
		return err
	}
	if err := r.chooseDelivery(ctx, report); err != nil {
		return err
	}
	report("looking at what is there")
	if err := r.survey(ctx, target, report); err != nil {
		return err
	}
	report("existing: %s at %s, images %s", r.wanted.Context, r.wanted.Server, r.describeDelivery())
	return nil
}

// findContext finds the context that was asked for, or the sandbox's. It is nil where the user's kubeconfig no longer has the
// sandbox's, whose copy is used then.
func (r *Run) findContext() (*existing.Source, error) {
	name := r.Context
	if name == "" {
		name = r.Record.Target.Context
	}
	if name == "" {
		return nil, fmt.Errorf("%w: --cluster=existing: name the cluster by --context=NAME, a context of your kubeconfig; `kubectl config get-contexts` lists them", ErrOption)
	}
	if on := r.Record.Target.Context; on != "" && on != name {
		return nil, fmt.Errorf("the sandbox %s is on the context %s: take it down first (`sandbox down`), or choose another --name", r.Name, on)
	}
	source, err := existing.Find(r.Kubeconfig, name)
	if err == nil {
		return &source, nil
	}
	if _, missing := os.Stat(r.Dir.Kubeconfig()); missing == nil && r.Record.Name != "" && r.Context == "" && r.Kubeconfig == "" {
		return nil, nil
	}
	if errors.Is(err, existing.ErrNoContext) {
		err = fmt.Errorf("%w: --context=%s: %w", ErrOption, name, err)
	}
	return nil, err
}

// existingConfig is the way to the cluster's API server as the user that the kubeconfig names.
func (r *Run) existingConfig() (*rest.Config, error) { return existing.RESTConfig(r.Dir.Kubeconfig()) }

// chooseJaeger decides whose Jaeger it is: as was asked for, or as it is.
func (r *Run) chooseJaeger() error {
	was := r.Record.Target.JaegerEndpoint
	switch {
	case r.JaegerEndpoint == "":
	case r.Record.Name != "" && was == "":
		return fmt.Errorf("--jaeger-endpoint=%s: the sandbox %s has a Jaeger of its own: take it down first (`sandbox down`)", r.JaegerEndpoint, r.Name)
	default:
		r.wanted.JaegerEndpoint = r.JaegerEndpoint
	}
	if r.JaegerQuery != "" {
		if r.wanted.JaegerEndpoint == "" {
			return fmt.Errorf("%w: --jaeger-query=%s: it is about a Jaeger of yours: name that by --jaeger-endpoint", ErrOption, r.JaegerQuery)
		}
		r.wanted.JaegerQuery = r.JaegerQuery
	}
	if r.wanted.JaegerEndpoint != "" && r.JaegerConfig != "" && r.JaegerConfig != NoJaegerConfig {
		return fmt.Errorf("%w: --jaeger-config=%s: the sandbox %s sends to a Jaeger of yours at %s", ErrOption, r.JaegerConfig, r.Name, r.wanted.JaegerEndpoint)
	}
	return nil
}

// chooseDelivery decides how images get into the cluster: to a registry that was named, into the nodes of a kind cluster of this
// machine, or not at all where the cluster can pull them itself.
func (r *Run) chooseDelivery(ctx context.Context, report report) error {
	nodes, err := workload.Nodes(ctx, r.target)
	if err != nil {
		return err
	}
	var names []string
	for _, node := range nodes {
		names = append(names, node.Name)
		arch := node.Status.NodeInfo.Architecture
		if r.builder.Arch != "" && r.builder.Arch != arch {
			return fmt.Errorf("the cluster of context %s has nodes of the architectures %s and %s: images are made for one", r.wanted.Context, r.builder.Arch, arch)
		}
		r.builder.Arch = arch
	}
	if r.Registry != "" {
		r.wanted.Registry = r.Registry
	}
	if r.wanted.Registry != "" {
		folder, err := artifact.NewFolder(r.wanted.Registry)
		r.folder = &folder
		return err
	}
	if name, kind := strings.CutPrefix(r.wanted.Context, "kind-"); kind {
		found, err := cluster.FindNodes(ctx, name)
		if err != nil {
			return err
		}
		// A context of that name may lead to another machine, where it is another cluster's.
		if slices.Sort(names); found != nil && slices.Equal(found.Names, names) {
			r.nodes, r.engine = found, found.Engine
			return nil
		}
	}
	if err := r.ChooseImages(ctx, report); err != nil {
		return err
	}
	if r.images.Origin() == "registry" && !r.manifests.Built() {
		r.public = true
		return nil
	}
	return fmt.Errorf("%w: --context=%s: the cluster can't be given images: name a registry that this machine and the cluster reach by --registry=HOST/FOLDER;"+
		" or have it pull public images (--images=registry) and an image of your operator's (operator.image of sandbox.yaml);"+
		" kind clusters of this machine's container engine need neither", ErrOption, r.wanted.Context)
}

func (r *Run) describeDelivery() string {
	switch {
	case r.folder != nil:
		return "pushed to " + r.wanted.Registry
	case r.nodes != nil:
		return fmt.Sprintf("loaded into its nodes by %s", r.nodes.Engine.Name)
	default:
		return "pulled by it from the public registries"
	}
}

// TakeCluster writes down what is about to be done, so that down finds it whatever happens.
func (r *Run) TakeCluster(_ context.Context, report report) error {
	r.Record.Name, r.Record.Cluster, r.Record.Target = r.Name, component.Existing, r.wanted
	if err := r.keepJaegerConfig(); err != nil {
		return err
	}
	report("context %s", r.wanted.Context)
	return r.Save()
}

// keepJaegerConfig puts the file that Jaeger's configuration is from into the record.
func (r *Run) keepJaegerConfig() (err error) {
	switch r.JaegerConfig {
	case "":
	case NoJaegerConfig:
		r.Record.JaegerConfig = ""
	default:
		r.Record.JaegerConfig, err = filepath.Abs(r.JaegerConfig)
	}
	return err
}

// jaegerConfig is a configuration of Jaeger's that takes the place of the sandbox's own, or nil.
func (r *Run) jaegerConfig() ([]byte, error) {
	path := r.JaegerConfig
	if path == "" {
		path = r.Record.JaegerConfig
	}
	if path == "" || path == NoJaegerConfig {
		return nil, nil
	}
	return readJaegerConfig(path)
}

// replicas is how many Pods of the operator are wanted; zero leaves it to the manifests.
func (r *Run) replicas() int {
	if r.OperatorReplicas > 0 {
		return r.OperatorReplicas
	}
	return r.Record.OperatorReplicas
}
