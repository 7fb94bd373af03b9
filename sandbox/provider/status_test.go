package provider

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

// A sandbox is up if all components are ready, except the sample, which the user may delete.
func TestJudge(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		unready []string
		state   string
		message string
		busy    string
	}{
		"all ready":      {nil, StateUp, "", "faults run"},
		"no sample":      {[]string{component.Sample}, StateUp, "", ""},
		"one is broken":  {[]string{component.Jaeger}, StateDegraded, "not ready: jaeger; `sandbox up` repairs it", ""},
		"several":        {[]string{component.CertManager, component.Operator, component.Sample}, StateDegraded, "not ready: cert-manager, operator; `sandbox up` repairs it", ""},
		"beside a table": {[]string{"observer"}, StateDegraded, "not ready: observer; `sandbox up` repairs it", ""},
		"by a fault run": {[]string{component.Operator}, StateDegraded, "not ready: operator; `sandbox faults run` is in progress and changes the sandbox: wait until it ends", "faults run"},
	} {
		s := Status{State: StateDown, Busy: test.busy}
		for _, part := range append(component.On(component.Kind), component.Component{Name: "observer"}) {
			s.Components = append(s.Components, Component{Name: part.Name, Ready: !slices.Contains(test.unready, part.Name)})
		}
		if s.Judge(); s.State != test.state || s.Message != test.message {
			t.Errorf("%s: %s, %q; want %s, %q", name, s.State, s.Message, test.state, test.message)
		}
	}
}

// An answer that comes in time is shown as it is, also after an error.
func TestAskKeepsMessages(t *testing.T) {
	t.Parallel()
	s := Status{}
	s.Ask(t.Context(), component.On(component.Existing), func(_ context.Context, part component.Component) Component {
		return Component{Name: part.Name, Message: "no Pod of " + part.Name}
	})
	for i, part := range component.On(component.Existing) {
		if got := s.Components[i]; got.Message != "no Pod of "+part.Name {
			t.Errorf("component %d = %+v", i, got)
		}
	}
	s.Ask(t.Context(), nil, nil)
	if len(s.Components) != 0 {
		t.Errorf("Ask() for no components = %v", s.Components)
	}
}

// target is an API server that answers every list with some items, or with an error.
func target(t *testing.T, code int, items string) *apply.Cluster {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/api":
			fmt.Fprint(w, `{"kind": "APIVersions", "versions": ["v1"]}`)
		case "/apis":
			fmt.Fprint(w, `{"kind": "APIGroupList", "apiVersion": "v1", "groups": []}`)
		case "/api/v1":
			fmt.Fprint(w, `{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "v1", "resources": [{"name": "nodes", "kind": "Node", "verbs": ["list"]}]}`)
		default:
			w.WriteHeader(code)
			fmt.Fprintf(w, `{"kind": "NodeList", "apiVersion": "v1", "items": [%s]}`, items)
		}
	}))
	t.Cleanup(server.Close)
	c, err := apply.NewCluster(&rest.Config{Host: server.URL}, project.Subject{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNodeOf(t *testing.T) {
	t.Parallel()
	const node = `{"metadata": {"name": "n", "creationTimestamp": "2026-01-01T00:00:00Z"},
 "status": {"nodeInfo": {"kubeletVersion": "v1.37.2", "containerRuntimeVersion": "containerd://2", "osImage": "Debian"}}}`
	got, err := NodeOf(t.Context(), target(t, http.StatusOK, node), "image:v1")
	if err != nil || got.Image != "image:v1" || got.Kubernetes != "v1.37.2" || got.Runtime != "containerd://2" || got.OS != "Debian" || got.Since.Year() != 2026 {
		t.Errorf("NodeOf() = %+v, %v", got, err)
	}
	for _, test := range []struct {
		code int
		want string
	}{{http.StatusOK, "asking the cluster for its node: it has none"}, {http.StatusInternalServerError, "asking the cluster for its node: "}} {
		if _, err := NodeOf(t.Context(), target(t, test.code, ""), ""); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("NodeOf() with the status %d = %v, want %q", test.code, err, test.want)
		}
	}
}

// Notices that cannot be read are a notice themselves: the status is still shown.
func TestNotice(t *testing.T) {
	t.Parallel()
	s := Status{}
	s.Notice(t.Context(), target(t, http.StatusInternalServerError, ""), nil)
	if len(s.Notices) == 0 {
		t.Error("Notice() of an API server that fails says nothing")
	}
}

func TestHasEvent(t *testing.T) {
	t.Parallel()
	event := corev1.Event{InvolvedObject: corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "team", Name: "web"}}
	for name, test := range map[string]struct {
		has  func(*unstructured.Unstructured) bool
		want bool
	}{
		"a cluster of the sandbox": {nil, true},
		"its namespace":            {func(o *unstructured.Unstructured) bool { return o.GetNamespace() == "team" }, true},
		"its kind": {func(o *unstructured.Unstructured) bool {
			return o.GroupVersionKind().Group == "apps" && o.GetKind() == "Deployment"
		}, true},
		"another's": {func(*unstructured.Unstructured) bool { return false }, false},
	} {
		if got := (Scope{Has: test.has}).HasEvent(event); got != test.want {
			t.Errorf("%s: HasEvent() = %t, want %t", name, got, test.want)
		}
	}
}

// Only kind has logs of its node, and only components with several programs are a group.
func TestLogNames(t *testing.T) {
	t.Parallel()
	for kind, node := range map[string]bool{component.Kind: true, component.Embedded: false, component.Existing: false} {
		names := LogNames(kind)
		for _, log := range cluster.NodeLogs() {
			if slices.Contains(names, log) != node {
				t.Errorf("LogNames(%s) = %q, want %s: %t", kind, names, log, node)
			}
		}
		for i, name := range names {
			if slices.Contains(names[:i], name) {
				t.Errorf("LogNames(%s) has %s twice", kind, name)
			}
		}
		for _, group := range LogGroups(kind) {
			logs, err := LogsNamed(kind, group)
			if err != nil || len(logs) < 2 {
				t.Errorf("LogsNamed(%s, %s) = %q, %v; want several", kind, group, logs, err)
			}
		}
	}
	if got := LogGroups(component.Existing); !slices.Equal(got, []string{component.CertManager}) {
		t.Errorf("LogGroups(existing) = %q", got)
	}
}

// Ports that are not chosen have no address.
func TestAddressesOfNoPorts(t *testing.T) {
	t.Parallel()
	for _, ports := range []component.Ports{nil, {}, {component.UI: 0}, {"other": 5}} {
		if got := AddressesOf(ports); got == nil || len(got) != 0 {
			t.Errorf("AddressesOf(%v) = %v, want none", ports, got)
		}
	}
	if want := "run `sandbox up --jaeger-query=URL`"; !strings.Contains(ErrNoQuery.Error(), want) {
		t.Errorf("ErrNoQuery = %v, want %q in it", ErrNoQuery, want)
	}
}
