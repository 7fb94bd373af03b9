package servertest

import (
	"bufio"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"gomodules.xyz/jsonpatch/v2"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/tracing"
	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// otherProcess is the environment variable that makes the test program only serve webhooks.
const otherProcess = "SERVERTEST_WEBHOOK"

func init() {
	if os.Getenv(otherProcess) == "" {
		return
	}
	server := serveWebhooks(tracing.WithTracerProvider(tracingtest.NewTracerProvider()))
	fmt.Println(server.URL)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test ends
	server.Close()
	os.Exit(0)
}

// The paths of the webhooks. Each is traced except the last, which represents another product.
const (
	pathV1    = "/v1"
	pathV2    = "/v2"
	pathRaw   = "/raw"
	pathOther = "/other"
)

func serveWebhooks(opts ...tracing.Option) *httptest.Server {
	labels := admission.HandlerFunc(func(_ context.Context, req admission.Request) admission.Response {
		if strings.Contains(string(req.Object.Raw), `"labels":{"other"`) {
			return admission.Allowed("")
		}
		return admission.Patched("", jsonpatch.NewOperation("add", "/metadata/labels", map[string]string{"other": "product"}))
	})
	mux := http.NewServeMux()
	for path, hook := range map[string]*webhook.Admission{
		pathV1:    admission.WithDefaulter(scheme.Scheme, tracing.WrapDefaulter[*autoscalingv1.HorizontalPodAutoscaler](nil, opts...)),
		pathV2:    admission.WithDefaulter(scheme.Scheme, tracing.WrapDefaulter[*autoscalingv2.HorizontalPodAutoscaler](nil, opts...)),
		pathRaw:   {Handler: tracing.WrapAdmissionHandler(nil, opts...)},
		pathOther: {Handler: labels},
	} {
		hook.WithContextFunc = tracing.WebhookContext(opts...)
		handler, err := admission.StandaloneWebhook(hook, admission.StandaloneOptions{Logger: logr.Discard()})
		if err != nil {
			panic(err)
		}
		mux.Handle(path, handler)
	}
	return httptest.NewTLSServer(mux)
}

// hooked is a namespace with webhooks, and a user in it.
type hooked struct {
	tp   *tracingtest.TracerProvider
	user client.Client
	ns   string
}

// entry is a webhook in a configuration.
type entry struct {
	url, version, policy string
}

// startHooked registers webhooks for HorizontalPodAutoscalers, which have two API versions.
func startHooked(t *testing.T, entries func(server string) []entry) *hooked {
	t.Helper()
	h := &hooked{tp: tracingtest.NewTracerProvider()}
	server := serveWebhooks(tracing.WithTracerProvider(h.tp))
	t.Cleanup(server.Close)
	jane := rest.CopyConfig(config)
	jane.Impersonate = rest.ImpersonationConfig{UserName: "jane", Groups: []string{"system:masters"}}
	var err error
	if h.user, err = client.New(jane, client.Options{}); err != nil {
		t.Fatal(err)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "webhook-"}}
	if err := h.user.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	h.ns = ns.Name
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	hooks := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: ns.Name}}
	for i, e := range entries(server.URL) {
		hooks.Webhooks = append(hooks.Webhooks, admissionregistrationv1.MutatingWebhook{
			Name:               fmt.Sprintf("hook-%d.example.com", i),
			ClientConfig:       admissionregistrationv1.WebhookClientConfig{URL: &e.url, CABundle: ca},
			ReinvocationPolicy: new(admissionregistrationv1.ReinvocationPolicyType(e.policy)),
			NamespaceSelector:  &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: ns.Name}},
			SideEffects:        new(admissionregistrationv1.SideEffectClassNone),
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"autoscaling"}, APIVersions: []string{e.version}, Resources: []string{"horizontalpodautoscalers"}},
			}},
			AdmissionReviewVersions: []string{"v1"},
		})
	}
	if err := h.user.Create(t.Context(), hooks); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.user.Delete(context.WithoutCancel(t.Context()), hooks) })
	h.waitForHooks(t)
	return h
}

// waitForHooks waits until the API server calls the webhooks.
func (h *hooked) waitForHooks(t *testing.T) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		probe := h.autoscaler("probe")
		err := h.user.Create(ctx, probe, client.DryRunAll)
		return probe.Annotations[parentKey] != "", err
	})
	if err != nil {
		t.Fatal("waiting for the webhooks:", err)
	}
}

const (
	parentKey = "tracing.k8s.io/traceparent"
	originKey = "tracing.k8s.io/origin"
)

func (h *hooked) autoscaler(name string) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: h.ns, Name: name},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name},
			MaxReplicas:    3,
		},
	}
}

// isOneTrace checks that the webhooks of this process created one span, and that obj carries its
// context.
func (h *hooked) isOneTrace(t *testing.T, obj client.Object) {
	t.Helper()
	spans := h.tp.Spans()
	h.tp.Reset()
	if len(spans) != 1 || spans[0].Parent.IsValid() {
		t.Fatalf("spans %+v, want one root", spans)
	}
	sc := spans[0].Context
	if want := "00-" + sc.TraceID().String() + "-" + sc.SpanID().String() + "-01"; obj.GetAnnotations()[parentKey] != want {
		t.Errorf("annotations %v, want the context %s", obj.GetAnnotations(), want)
	}
}

// startOther starts another process that serves webhooks, and returns its URL.
func startOther(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), otherProcess+"=true")
	cmd.Stderr = os.Stderr
	stdin, errIn := cmd.StdinPipe()
	stdout, errOut := cmd.StdoutPipe()
	if errIn != nil || errOut != nil || cmd.Start() != nil {
		t.Fatalf("starting another process: %v, %v", errIn, errOut)
	}
	t.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(url)
}

// TestOneChangeIsOneTrace creates and updates objects that pass several webhooks on a real API
// server.
func TestOneChangeIsOneTrace(t *testing.T) {
	t.Parallel()
	for name, entries := range map[string]func(t *testing.T, server string) []entry{
		"a defaulter per version": func(_ *testing.T, s string) []entry {
			return []entry{{s + pathV1, "v1", "Never"}, {s + pathV2, "v2", "Never"}}
		},
		"reinvocation": func(_ *testing.T, s string) []entry {
			return []entry{{s + pathV2, "v2", "IfNeeded"}, {s + pathRaw, "v1", "IfNeeded"}, {s + pathOther, "v2", "IfNeeded"}}
		},
		"another process": func(t *testing.T, s string) []entry {
			other := startOther(t)
			return []entry{{s + pathV2, "v2", "Never"}, {other + pathV2, "v2", "Never"}, {other + pathRaw, "v1", "Never"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := startHooked(t, func(server string) []entry { return entries(t, server) })
			for _, annotations := range []map[string]string{nil, {parentKey: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}} {
				obj := h.autoscaler(fmt.Sprintf("created-%d", len(annotations)))
				obj.Annotations = annotations
				if err := h.user.Create(t.Context(), obj); err != nil {
					t.Fatal(err)
				}
				h.isOneTrace(t, obj)
				obj.Spec.MaxReplicas++
				if err := h.user.Update(t.Context(), obj); err != nil {
					t.Fatal(err)
				}
				h.isOneTrace(t, obj)
			}
		})
	}
}

// TestUpdatesComeToRest: updates that do not change the spec are stored unchanged. If a user
// repeats an update with a tracing annotation, it is stored once, and then changes nothing.
func TestUpdatesComeToRest(t *testing.T) {
	t.Parallel()
	h := startHooked(t, func(s string) []entry { return []entry{{s + pathRaw, "v2", "Never"}} })
	obj := h.autoscaler("rests")
	if err := h.user.Create(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	h.isOneTrace(t, obj)
	injected := maps.Clone(obj.Annotations)
	write := func(annotations map[string]string) string {
		t.Helper()
		obj.Annotations = maps.Clone(annotations)
		if err := h.user.Update(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
		return obj.ResourceVersion
	}
	copied := map[string]string{parentKey: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", originKey: "b7ad6b7169203331-0-1"}
	first := write(copied)
	if second := write(copied); second != first || !maps.Equal(obj.Annotations, injected) {
		t.Errorf("resourceVersion went from %s to %s with annotations %v, want %v", first, second, obj.Annotations, injected)
	}
	own := map[string]string{"only": "mine"}
	first = write(own)
	if second := write(own); second != first || !maps.Equal(obj.Annotations, own) {
		t.Errorf("resourceVersion went from %s to %s with annotations %v, want %v", first, second, obj.Annotations, own)
	}
	if spans := h.tp.Spans(); len(spans) != 0 {
		t.Errorf("spans %+v, want none", spans)
	}
}
