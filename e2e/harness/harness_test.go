package harness

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

func TestParseStatus(t *testing.T) {
	status, err := parseStatus([]byte(`{"name":"n","state":"up","cluster":"kind","provider":"podman","images":"source","kubeconfig":"/k",
		"node":{"kubernetes":"v1","runtime":"containerd://2"},"jaeger":{"ui":"http://u","query":"q:1"},"components":[{"name":"c","ready":true}],"new":1}`))
	if err != nil || status.Provider != "podman" || status.Jaeger.Query != "q:1" || !status.Components[0].Ready {
		t.Errorf("status is %+v, %v", status, err)
	}
	for _, bad := range []string{"", "no json", `{"state":"odd"}`, `{}`} {
		if _, err := parseStatus([]byte(bad)); err == nil {
			t.Errorf("%q is a status", bad)
		}
	}
}

func TestCheck(t *testing.T) {
	good := Status{Cluster: "kind", Provider: "podman", Images: "source", Kubeconfig: "/k"}
	good.Node.Runtime, good.Jaeger.Query = "containerd://2.1", "q:1"
	dockershim, noQuery := good, good
	dockershim.Node.Runtime = "docker://1"
	noQuery.Jaeger.Query = ""
	tests := map[string]struct {
		status Status
		env    map[string]string
		say    string // in the error; empty for none
	}{
		"nothing named":         {good, nil, ""},
		"as named":              {good, map[string]string{"SANDBOX_PROVIDER": "podman", "SANDBOX_IMAGES": "source", "CI": "1"}, ""},
		"auto":                  {good, map[string]string{"SANDBOX_PROVIDER": "auto", "SANDBOX_IMAGES": "auto"}, ""},
		"auto in CI":            {good, map[string]string{"SANDBOX_PROVIDER": "auto", "CI": "true"}, "must name its engine"},
		"another engine":        {good, map[string]string{"SANDBOX_PROVIDER": "docker"}, "names docker, the sandbox runs on podman"},
		"other images":          {good, map[string]string{"SANDBOX_IMAGES": "registry"}, "names registry, the images came from source"},
		"another runtime":       {dockershim, nil, `runtime "docker://1"`},
		"no address for traces": {noQuery, nil, "has no address of Jaeger's query API"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.status.check(func(key string) string { return test.env[key] })
			if (err == nil) != (test.say == "") || (err != nil && !strings.Contains(err.Error(), test.say)) {
				t.Errorf("error is %v, want %q", err, test.say)
			}
		})
	}
}

func TestStatusOfProgram(t *testing.T) {
	p, _ := fakeSandbox(t, "true")
	script := "#!/bin/sh\necho '{\"state\":\"down\"}'\necho progress >&2\nexit 1\n"
	if err := os.WriteFile(p.path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if status, err := p.status(t.Context()); err != nil || status.State != StateDown {
		t.Errorf("status is %+v, %v; want down, whatever the exit code", status, err)
	}
	if err := os.WriteFile(p.path, []byte("#!/bin/sh\necho broken >&2\nexit 2\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := p.status(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 2") || !strings.Contains(err.Error(), "broken") {
		t.Errorf("error is %v, want the exit code and what it said", err)
	}
}

// A sandbox that is up is left alone; a degraded one is repaired and stays.
func TestEnsureUp(t *testing.T) {
	tests := map[string]struct {
		states []string // what status says, one call after the other
		diary  string
		fails  bool
	}{
		"up":                 {[]string{"up"}, "status begins", false},
		"degraded":           {[]string{"degraded", "up"}, "status begins, up begins, up ends, status begins", false},
		"down":               {[]string{"down", "up"}, "status begins, " + "up begins, up ends, status begins, down begins, down ends", false},
		"does not repair":    {[]string{"degraded", "degraded"}, "status begins, up begins, up ends, status begins", true},
		"down, and stays so": {[]string{"down", "down"}, "status begins, up begins, up ends, status begins, down begins, down ends", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, diary := fakeSandbox(t, "true")
			// Each status consumes one of the states.
			for i, state := range test.states {
				file := filepath.Join(p.root, "state"+strings.Repeat("x", i))
				if err := os.WriteFile(file, []byte(`{"state":"`+state+`"}`), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			script, err := os.ReadFile(p.path)
			if err != nil {
				t.Fatal(err)
			}
			status := "#!/bin/sh\ncd " + p.root + "\nif [ \"$1\" = status ]; then echo 'status begins' >>diary; for f in state*; do cat $f; rm $f; exit; done; fi\n"
			if err := os.WriteFile(p.path, append([]byte(status), script...), 0o755); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			_, release, err := ensureUp(t.Context(), p, &log)
			if (err != nil) != test.fails {
				t.Fatalf("error is %v", err)
			}
			if err == nil {
				if err := release(); err != nil {
					t.Error(err)
				}
			}
			if got := diary(); got != test.diary {
				t.Errorf("the diary is %q, want %q\n%s", got, test.diary, log.String())
			}
		})
	}
}

func TestFeaturesCompare(t *testing.T) {
	file := filepath.Join(t.TempDir(), "features")
	if err := os.WriteFile(file, []byte("# a list\nfirst\n  second one  # why\n\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		ran []string
		say string
	}{
		"all":        {[]string{"second one", "first"}, ""},
		"one missed": {[]string{"first"}, "did not run: second one"},
		"one more":   {[]string{"first", "second one", "third"}, "is not listed: third"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var f Features
			for _, feature := range test.ran {
				f.Ran(feature)
			}
			err := f.Compare(file)
			if (err == nil) != (test.say == "") || (err != nil && !strings.Contains(err.Error(), test.say)) {
				t.Errorf("error is %v, want %q", err, test.say)
			}
		})
	}
	if err := new(Features).Compare(file + ".missing"); err == nil {
		t.Error("no list is no error")
	}
}

func TestSetEnv(t *testing.T) {
	deployment := func(env ...corev1.EnvVar) *appsv1.Deployment {
		d := &appsv1.Deployment{}
		d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "other"}, {Name: managerContainer, Env: env}}
		return d
	}
	a1, a2, b := corev1.EnvVar{Name: "A", Value: "1"}, corev1.EnvVar{Name: "A", Value: "2"}, corev1.EnvVar{Name: "B", Value: "b"}
	tests := map[string]struct {
		before  []corev1.EnvVar
		value   string
		after   []corev1.EnvVar
		changed bool
	}{
		"add":               {[]corev1.EnvVar{b}, "1", []corev1.EnvVar{b, a1}, true},
		"replace":           {[]corev1.EnvVar{a1, b}, "2", []corev1.EnvVar{a2, b}, true},
		"is so":             {[]corev1.EnvVar{a1}, "1", []corev1.EnvVar{a1}, false},
		"remove":            {[]corev1.EnvVar{a1, b}, "", []corev1.EnvVar{b}, true},
		"nothing to remove": {[]corev1.EnvVar{b}, "", []corev1.EnvVar{b}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := deployment(test.before...)
			if changed := setEnv(d, "A", test.value); changed != test.changed {
				t.Errorf("changed is %t, want %t", changed, test.changed)
			}
			if diff := cmp.Diff(test.after, d.Spec.Template.Spec.Containers[1].Env); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRolledOut(t *testing.T) {
	good := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Generation: 2}}
	good.Spec.Replicas = ptr.To[int32](1)
	good.Status = appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1, ReadyReplicas: 1}
	if err := rolledOut(&good); err != nil {
		t.Error(err)
	}
	for what, spoil := range map[string]func(*appsv1.DeploymentStatus){
		"unobserved": func(s *appsv1.DeploymentStatus) { s.ObservedGeneration = 1 },
		"old pod":    func(s *appsv1.DeploymentStatus) { s.Replicas = 2 },
		"not new":    func(s *appsv1.DeploymentStatus) { s.UpdatedReplicas = 0 },
		"not ready":  func(s *appsv1.DeploymentStatus) { s.ReadyReplicas, s.AvailableReplicas = 0, 0 },
	} {
		bad := good
		spoil(&bad.Status)
		if rolledOut(&bad) == nil {
			t.Errorf("%s: taken for rolled out", what)
		}
	}
}

func TestHeadReady(t *testing.T) {
	head := NewHead("ns", "h")
	head.Generation = 2
	if ready, state := headReady(head); ready || !strings.Contains(state, "no condition Ready yet") {
		t.Errorf("a new Head is %t: %s", ready, state)
	}
	head.Status = v1alpha1.ReadyStatus{Ready: true, ObservedGeneration: 2, Conditions: []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, ObservedGeneration: 2, Reason: "Done", Message: "all of it"}}}
	if ready, state := headReady(head); !ready || !strings.Contains(state, "Done: all of it") {
		t.Errorf("a ready Head is %t: %s", ready, state)
	}
	head.Generation = 3
	if ready, state := headReady(head); ready {
		t.Errorf("a Head that was ready at another generation is ready: %s", state)
	}
}

func TestEventually(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		tries := 0
		err := Eventually(t.Context(), time.Minute, "three", func(context.Context) error {
			if tries++; tries < 3 {
				return errors.New("too few")
			}
			return nil
		})
		if err != nil || time.Since(start) != 2*poll {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		err = Eventually(t.Context(), time.Minute, "the impossible", func(ctx context.Context) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return io.ErrUnexpectedEOF
		})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "the impossible") {
			t.Errorf("error is %v, want what was waited for, why and the last reason", err)
		}
	})
}

func TestFileName(t *testing.T) {
	if got := fileName("TestA/b c: d.tree"); got != "TestA_b_c_d.tree" {
		t.Errorf("file name is %q", got)
	}
}
