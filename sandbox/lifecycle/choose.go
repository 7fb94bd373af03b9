package lifecycle

import (
	"context"
	"fmt"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
)

// ChooseCluster selects the kind of cluster: the one on record, or the one that the options name, or
// kind if a container engine works and the node's image is available, or else embedded. It reports
// which one, and why.
func (s *Sandbox) ChooseCluster(ctx context.Context, report report) error {
	if err := s.useSources(); err != nil {
		return err
	}
	if s.Record.Name == "" {
		// The record of an embedded cluster may be lost. No other command would end its processes.
		if err := s.providers[component.Embedded].Clean(ctx, s.Session); err != nil {
			return err
		}
	}
	if err := s.chooseCluster(ctx, report); err != nil {
		return err
	}
	return s.SaveSubject()
}

func (s *Sandbox) chooseCluster(ctx context.Context, report report) error {
	wanted := s.Cluster
	if made := s.Record.Cluster; s.Record.Name != "" {
		if wanted != "auto" && wanted != made {
			return fmt.Errorf("the sandbox %s is up, and it is %s, not %s: take it down first (%s), or choose another --name",
				s.Name, made, wanted, hint.Run("down"))
		}
		wanted = made
	}
	wanted, err := s.FitBundle(wanted)
	if err != nil {
		return err
	}
	if err := s.Fit(wanted); err != nil {
		return err
	}
	s.ChooseTracing()
	if wanted != "auto" {
		return s.try(ctx, wanted, report)
	}
	var said string
	err = s.try(ctx, component.Kind, func(format string, args ...any) { said = fmt.Sprintf(format, args...) })
	if err == nil {
		err = s.nodeImageHindrance(ctx, report)
	}
	if err == nil {
		report("%s", said)
		return nil
	}
	if s.Provider != "auto" || s.Images == "registry" || s.Bundled() && s.BundledPrograms() == nil || ctx.Err() != nil {
		return err
	}
	if mistake := s.Fit(component.Embedded); mistake != nil {
		return fmt.Errorf("%w; kind can't run here: %w", mistake, err)
	}
	hindrance := strings.Join(strings.Fields(err.Error()), " ")
	err = s.try(ctx, component.Embedded, func(string, ...any) {})
	if err == nil {
		report("embedded, processes of this machine, as kind can't run here: %s", hindrance)
	}
	return err
}

// try uses a kind of cluster if its provider can.
func (s *Sandbox) try(ctx context.Context, kind string, report report) error {
	cluster, err := s.providers[kind].Choose(ctx, s.Session, report)
	if err == nil {
		s.use(kind, cluster)
	}
	return err
}

// nodeImageHindrance returns why the image of kind's node is not available: no registry answers, and
// this machine cannot build it. It also selects where the images come from.
func (s *Sandbox) nodeImageHindrance(ctx context.Context, report report) error {
	if err := s.ChooseImages(ctx, report); err != nil || s.ImageSource.Origin() != "source" {
		return err
	}
	if err := s.Builder.CanBuildNode(); err != nil {
		return fmt.Errorf("no registry answers, and %w", err)
	}
	return nil
}

// AttachToLoad connects to the cluster that runs, for a new build of its operator.
func (s *Sandbox) AttachToLoad(ctx context.Context, report report) error {
	if s.Record.Name == "" {
		return session.ErrDown
	}
	if err := s.useSources(); err != nil {
		return err
	}
	kind := s.Record.Cluster
	cluster, err := s.providers[kind].Load(ctx, s.Session, report)
	if err != nil {
		return err
	}
	s.use(kind, cluster)
	if _, err := s.Target(); err != nil {
		return err
	}
	if err := cluster.Alive(ctx); err != nil {
		return fmt.Errorf("%w%s", err, provider.Repairs())
	}
	report("%s", s.Project.Name())
	return s.SaveSubject()
}
