package faults

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
	"github.com/operator-tracing/sandbox/sandbox/project"
	away "github.com/operator-tracing/sandbox/sandbox/provider/existing"
)

// observability is the namespace of a Jaeger that does not belong to the sandbox.
const observability = "observability"

// imagesOf returns the images of a sandbox on the cluster, by the names of the Deployments. The
// node has them.
func (e *existing) imagesOf() map[string]manifest.Image {
	e.T.Helper()
	deployments := &appsv1.DeploymentList{}
	e.must(e.client.List(e.T.Context(), deployments, client.MatchingLabels{apply.SandboxLabel: name}))
	images := map[string]manifest.Image{}
	for _, d := range deployments.Items {
		images[d.Name] = manifest.Image{Ref: d.Spec.Template.Spec.Containers[0].Image, PullPolicy: corev1.PullNever}
	}
	return images
}

// installTheirs installs components that a cluster can have: a cert-manager, a Jaeger that also
// stores for others, and an empty namespace with the name of one of the operator's.
func (e *existing) installTheirs(images map[string]manifest.Image) {
	e.T.Helper()
	ctx, cancel := context.WithTimeout(e.T.Context(), upLimit)
	defer cancel()
	subject, err := project.DefaultSubject()
	e.must(err)
	cluster, err := apply.NewCluster(e.config, subject)
	e.must(err)
	row := component.Named(component.CertManager)
	chart, err := (&build.Builder{Root: "../..", Cache: e.T.TempDir()}).Chart(ctx, row, nil)
	e.must(err)
	manager, err := manifest.FromTable(row, manifest.TableOptions{
		ChartDir: chart, Images: []manifest.Image{images["cert-manager"], images["cert-manager-cainjector"], images["cert-manager-webhook"]}, Shared: true,
	})
	e.must(err)
	storing := e.jaegerConfig("  jaeger_query:\n", "  remote_storage:\n    endpoint: 0.0.0.0:17271\n    storage: traces\n  jaeger_query:\n",
		"extensions: [", "extensions: [remote_storage, ")
	jaeger, err := manifest.Jaeger(manifest.JaegerOptions{Image: images["jaeger"], Config: storing, Shared: true})
	e.must(err)
	for _, obj := range jaeger.Objects {
		switch obj.GetKind() {
		case "Namespace":
			obj.SetName(observability)
			continue
		case "Service":
			ports, _, err := unstructured.NestedSlice(obj.Object, "spec", "ports")
			e.must(err)
			ports = append(ports, map[string]any{"name": "grpc-storage", "port": int64(17271), "targetPort": int64(17271)})
			e.must(unstructured.SetNestedSlice(obj.Object, ports, "spec", "ports"))
		}
		obj.SetNamespace(observability)
	}
	for _, theirs := range []*manifest.Component{manager, jaeger} {
		for _, obj := range theirs.Objects {
			labels := obj.GetLabels()
			labels[apply.ManagedByLabel] = "another"
			delete(labels, apply.ComponentLabel)
			obj.SetLabels(labels)
		}
		e.must(theirs.Install(ctx, cluster, nil))
	}
	e.must(e.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "operator-tracing-system"}}))
}

// jaegerConfig returns the sandbox's configuration of Jaeger with replaced texts, in pairs.
func (e *existing) jaegerConfig(pairs ...string) []byte {
	e.T.Helper()
	text, err := config.Files.ReadFile(config.JaegerConfig)
	e.must(err)
	changed := string(text)
	for i := 0; i < len(pairs); i += 2 {
		if strings.Count(changed, pairs[i]) != 1 {
			e.T.Fatalf("Jaeger's configuration has %q %d times", pairs[i], strings.Count(changed, pairs[i]))
		}
		changed = strings.Replace(changed, pairs[i], pairs[i+1], 1)
	}
	return []byte(changed)
}

// besideTheirs tests that the sandbox keeps an existing cert-manager and sends spans to an existing
// Jaeger, and that down removes neither.
func (e *existing) besideTheirs() {
	before := e.objects()
	endpoint := "jaeger." + observability + ".svc:4317"
	out := e.run("up", theirContext, "--yes", "--jaeger-endpoint="+endpoint)
	for _, word := range []string{"is already installed: not changed", "yours at " + endpoint, "the namespace operator-tracing-system is there already", "Its trace can't be shown"} {
		if !strings.Contains(out, word) {
			e.T.Errorf("up without %q:\n%s", word, out)
		}
	}
	e.WantRefusal(nil, []string{"trace", "head-sample"}, "--jaeger-query")
	status := e.WantUp()
	if status.JaegerEndpoint != endpoint || !strings.HasSuffix(status.Components[0].Version, ", yours") {
		e.T.Errorf("status %+v", status)
	}

	forward, err := away.NewForward(e.T.Context(), e.config, e.theirJaeger, 16686)
	e.must(err)
	defer forward.Close()
	query := fmt.Sprintf("http://127.0.0.1:%d", forward.Local(16686))
	if out := e.run("up", "--jaeger-query="+query); strings.Contains(out, "will be added") || !strings.Contains(out, "admit Head") {
		e.T.Errorf("output of up with a Jaeger that answers:\n%s", out)
	}
	e.wantTree(false)
	e.run("down")
	e.wantObjects(before)
}

// theirJaeger returns the Pod of the Jaeger that does not belong to the sandbox.
func (e *existing) theirJaeger(ctx context.Context) (types.NamespacedName, error) {
	pods := &corev1.PodList{}
	if err := e.client.List(ctx, pods, client.InNamespace(observability)); err != nil {
		return types.NamespacedName{}, err
	}
	if len(pods.Items) != 1 {
		return types.NamespacedName{}, fmt.Errorf("there are %d Pods in %s", len(pods.Items), observability)
	}
	return types.NamespacedName{Namespace: observability, Name: pods.Items[0].Name}, nil
}

// remoteStorage tests that the sandbox's Jaeger with a user's configuration stores its traces
// elsewhere, so that they survive its restart.
func (e *existing) remoteStorage() {
	before := e.objects()
	file := filepath.Join(e.T.TempDir(), "jaeger.yaml")
	e.must(os.WriteFile(file, []byte("service: {}\n"), 0o600))
	e.WantExit(2, nil, []string{"up", theirContext, "--yes", "--jaeger-config=" + file}, file, "service.extensions lacks jaeger_query")
	backend := fmt.Sprintf("grpc:\n          endpoint: jaeger.%[1]s.svc:17271\n          tls: {insecure: true}\n          writer:\n            endpoint: jaeger.%[1]s.svc:4317\n            tls: {insecure: true}\n", observability)
	e.must(os.WriteFile(file, e.jaegerConfig("memory:\n          max_traces: 100000\n", backend), 0o600))
	e.run("up", theirContext, "--yes", "--jaeger-config="+file)
	e.wantTree(true)

	pods := &corev1.PodList{}
	e.must(e.client.List(e.T.Context(), pods, client.InNamespace("jaeger")))
	for i := range pods.Items {
		e.must(e.client.Delete(e.T.Context(), &pods.Items[i], client.GracePeriodSeconds(0)))
	}
	if out := e.run("up"); strings.Contains(out, "Jaeger lost its trace") {
		e.T.Errorf("the trace was lost with Jaeger's Pod:\n%s", out)
	}
	e.wantTree(true)
	e.run("down")
	e.wantObjects(before)
}
