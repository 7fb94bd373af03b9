package existing

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/operator-tracing/sandbox/config/settings"
	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/provider/pods"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// chooseDelivery selects how images reach the cluster: by a registry that the user named, by the
// engine if it is a kind cluster of this machine, or not at all if the cluster can pull them.
func (c *Cluster) chooseDelivery(ctx context.Context, report provider.Report) error {
	s := c.session
	target, err := s.Target()
	if err != nil {
		return err
	}
	nodes, err := workload.Nodes(ctx, target)
	if err != nil {
		return err
	}
	var names []string
	for _, node := range nodes {
		names = append(names, node.Name)
		arch := node.Status.NodeInfo.Architecture
		if s.Builder.Arch != "" && s.Builder.Arch != arch {
			return fmt.Errorf("the cluster of context %s has nodes of the architectures %s and %s: images are made for one", c.wanted.Context, s.Builder.Arch, arch)
		}
		s.Builder.Arch = arch
	}
	if s.Registry != "" {
		c.wanted.Registry = s.Registry
	}
	if c.wanted.Registry != "" {
		folder, err := artifact.NewFolder(c.wanted.Registry)
		c.folder = &folder
		return err
	}
	if name, kind := strings.CutPrefix(c.wanted.Context, "kind-"); kind {
		found, err := cluster.FindNodes(ctx, name)
		if err != nil {
			return err
		}
		// A context of that name may lead to another machine, where it is another cluster's.
		if slices.Sort(names); found != nil && slices.Equal(found.Names, names) {
			c.nodes = found
			return nil
		}
	}
	if err := s.ChooseImages(ctx, report); err != nil {
		return err
	}
	if s.ImageSource.Origin() == "registry" && !s.Manifests.Built() {
		c.public = true
		return nil
	}
	return settings.Given("context", c.wanted.Context).Errorf("the cluster can't be given images: name a registry that this machine and the cluster reach by --registry=HOST/FOLDER;" +
		" or have it pull public images (--images=registry) and an image of your operator's (operator.image of sandbox.yaml);" +
		" kind clusters of this machine's container engine need neither")
}

func (c *Cluster) describeDelivery() string {
	switch {
	case c.folder != nil:
		return "pushed to " + c.wanted.Registry
	case c.nodes != nil:
		return fmt.Sprintf("loaded into its nodes by %s", c.nodes.Engine.Name)
	default:
		return "pulled by it from the public registries"
	}
}

// Fetch gets the images of a component, unless the cluster pulls them itself.
func (c *Cluster) Fetch(ctx context.Context, part component.Component, report provider.Report) error {
	if about, own := c.own(part.Name); own {
		report("%s", about)
		return nil
	}
	if c.public {
		c.pods.SetImages(part.Name, c.publicImages(part)...)
		report("%s", c.describeDelivery())
		return nil
	}
	if part.Name == component.Sample && c.nodes == nil {
		return nil // The cluster pulls the images of the sample.
	}
	var engine *engine.Engine
	if c.nodes != nil {
		engine = c.nodes.Engine
	}
	return c.pods.Fetch(ctx, part, engine, c.nodes != nil, report)
}

// publicImages returns names without contents.
func (c *Cluster) publicImages(part component.Component) []artifact.Image {
	references := part.Images
	if part.Name == component.Operator {
		references = []string{c.session.Project.File.Operator.Image}
	}
	var images []artifact.Image
	for _, reference := range references {
		images = append(images, artifact.New(nil, reference))
	}
	return images
}

// Deliver loads the images of a component into the nodes, or pushes them.
func (c *Cluster) Deliver(ctx context.Context, part component.Component, report provider.Report) error {
	images := c.pods.Images(part.Name)
	switch {
	case len(images) == 0 || c.public:
		report("none to deliver")
		return nil
	case c.nodes != nil:
		var names []string
		for _, i := range images {
			names = append(names, i.Names...)
		}
		loaded, err := c.nodes.Import(ctx, names, session.Archive(images...))
		if err == nil && loaded == 0 {
			report("the nodes have them")
		} else if err == nil {
			report("%d loaded", len(images))
		}
		return err
	}
	for _, i := range images {
		report("pushing %s", i.Name())
		reference, err := c.folder.Push(ctx, i)
		if err != nil {
			return err
		}
		c.setPushed(i.Name(), reference)
	}
	report("%d pushed to %s", len(images), c.wanted.Registry)
	return nil
}

// setPushed records the reference of an image in the registry. Several steps push at once.
func (c *Cluster) setPushed(name, reference string) {
	c.pushedMu.Lock()
	defer c.pushedMu.Unlock()
	if c.pushed == nil {
		c.pushed = map[string]manifest.Image{}
	}
	c.pushed[name] = manifest.Image{Ref: reference}
}

// reference returns how the cluster names an image: a node that has it uses the image's own name.
func (c *Cluster) reference(i artifact.Image) manifest.Image {
	if c.public {
		return manifest.Image{Ref: i.Name()}
	}
	c.pushedMu.Lock()
	defer c.pushedMu.Unlock()
	if pushed, has := c.pushed[i.Name()]; has {
		return pushed
	}
	return pods.Local(i)
}
