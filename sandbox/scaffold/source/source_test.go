package source

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// parsed returns a module with the given files.
func parsed(files map[string]string) *Module {
	m := newModule("example.com/op")
	for _, path := range slices.Sorted(maps.Keys(files)) { // Read walks in this order, too.
		m.parse(path, []byte(files[path]))
	}
	return m
}

// reconciler is a controller of kind Cache, with the given statements in Reconcile.
func reconciler(statements string) string {
	return `package controller

import (
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	"example.com/flux/meta"
	"example.com/op/internal/status"
	cachev1 "example.com/op/api/v1"
)

type CacheReconciler struct{}

func (r *CacheReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).For(&cachev1.Cache{}).Complete(r)
}

func (r *CacheReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	cache := &cachev1.Cache{}
	` + statements + `
	return ctrl.Result{}, nil
}
`
}

const api = `package v1

const (
	TypeReady    string    = "Ready"
	PhaseRunning PhaseType = "Running"
	PhaseFailed  PhaseType = "Failed"
	AtPier       PhaseType = "Bound"
)

func (c *Cache) SetAvailable() { setCondition(&c.Status.Conditions, "Available") }
`

const statusPackage = `package status

func Synced() metav1.Condition { return metav1.Condition{Type: "Synced", Status: metav1.ConditionTrue} }
`

// other is a controller of another kind in the same package.
const other = `package controller

const typeHealthy = "Healthy"

type StoreReconciler struct{}

func (r *StoreReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).For(&cachev1.Store{}).Complete(r)
}

func (r *StoreReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	return r.update(metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue})
}

func (r *StoreReconciler) update(c metav1.Condition) (ctrl.Result, error) { return ctrl.Result{}, nil }
`

func TestCondition(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ statements, want string }{
		"a literal":                       {`apimeta.SetStatusCondition(&cache.Status.Conditions, metav1.Condition{Type: "Ready", Status: "True"})`, "Ready"},
		"a constant of the package":       {`apimeta.SetStatusCondition(&cache.Status.Conditions, metav1.Condition{Type: typeHealthy, Reason: "x"})`, "Healthy"},
		"a constant of the API":           {`cond := &metav1.Condition{Type: cachev1.TypeReady, Status: s}`, "Ready"},
		"a conversion":                    {`cond := metav1.Condition{Type: string(cachev1.TypeReady), Status: s}`, "Ready"},
		"a constant of another module":    {`conditions.MarkTrue(cache, meta.ReadyCondition, meta.SucceededReason, "done")`, "Ready"},
		"elements without a type":         {`cache.Status.Conditions = []metav1.Condition{{Type: "Available", Status: "True"}}`, "Available"},
		"an argument":                     {`r.setCondition(ctx, cache, "Ready", "Reconciled")`, "Ready"},
		"a function of another package":   {`cache.Status.Conditions = append(cache.Status.Conditions, status.Synced())`, "Synced"},
		"a method of the API":             {`cache.SetAvailable()`, "Available"},
		"the best of several":             {`set(metav1.Condition{Type: "Degraded", Status: s}, metav1.Condition{Type: "Progressing", Status: s}, metav1.Condition{Type: "Available", Status: s})`, "Available"},
		"a name with the word":            {`set(metav1.Condition{Type: "AllReplicasReady", Status: s}, metav1.Condition{Type: "NoWarnings", Status: s})`, "AllReplicasReady"},
		"only failures":                   {`set(metav1.Condition{Type: "Degraded", Status: s}, metav1.Condition{Type: "NotReady", Status: s})`, ""},
		"a question":                      {`if apimeta.IsStatusConditionTrue(deployment.Status.Conditions, "Available") { return }`, ""},
		"a condition of a Pod":            {`pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: "Ready", Status: "True"})`, ""},
		"only the other kind's":           {`r.update(cache)`, ""},
		"a word that is in a log message": {`log.Info("Ready", "Available", true)`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := parsed(map[string]string{
				"internal/controller/cache.go": reconciler(test.statements), "internal/controller/store.go": other,
				"internal/status/status.go": statusPackage, "api/v1/types.go": api,
			})
			got, ok := m.Controller("cache.example.com", "Cache", nil).Condition()
			if got.Value != test.want || ok != (test.want != "") {
				t.Errorf("Condition() = %+v, %v, want %q", got, ok, test.want)
			}
		})
	}
}

func TestField(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		statements string
		allowed    []string
		want       string
	}{
		"an assignment":           {`cache.Status.Phase = "Running"`, nil, "Running"},
		"a constant of the API":   {`cache.Status.Phase = cachev1.PhaseRunning`, nil, "Running"},
		"a field of a literal":    {`cache.Status = cachev1.CacheStatus{Phase: cachev1.PhaseRunning}`, nil, "Running"},
		"an argument":             {`r.move(ctx, cache, cachev1.PhaseRunning)`, nil, "Running"},
		"an argument of a setter": {`r.enterPhase(ctx, cachev1.AtPier, "storm")`, nil, "Bound"},
		"a text for a setter":     {`r.enterPhase(ctx, "the tide is late")`, nil, ""},
		"a value of the schema":   {`cache.Status.Phase = "Running"; cache.Status.Phase = "Active"`, []string{"Active", "Failed"}, "Active"},
		"only failures":           {`cache.Status.Phase = cachev1.PhaseFailed`, nil, ""},
		"a value of another type": {`cache.Status.Phase = 3`, nil, ""},
		"no field":                {`cache.Status.Note = "Running"`, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := parsed(map[string]string{"internal/controller/cache.go": reconciler(test.statements), "api/v1/types.go": api})
			got, ok := m.Controller("cache.example.com", "Cache", nil).Field("phase", test.allowed)
			if got.Value != test.want || ok != (test.want != "") {
				t.Errorf("Field(phase) = %+v, %v, want %q", got, ok, test.want)
			}
		})
	}
}

func TestController(t *testing.T) {
	t.Parallel()
	setup := func(imported, statement string) string {
		return "package controller\n\nimport v1 \"" + imported + "\"\n\nfunc setup() { " + statement + " }\n"
	}
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"For":                  {map[string]string{"a.go": setup("example.com/op/api/v1", "b.For(&v1.Bar{}, opts)")}, "a.go"},
		"For with new":         {map[string]string{"a.go": setup("example.com/op/api/v1", "b.For(new(v1.Bar))")}, "a.go"},
		"Watch":                {map[string]string{"a.go": setup("example.com/op/api/v1", "c.Watch(source.Kind(cache, &v1.Bar{}, &handler.TypedEnqueueRequestForObject[*v1.Bar]{}))")}, "a.go"},
		"Watch for an owner":   {map[string]string{"a.go": setup("example.com/op/api/v1", "c.Watch(source.Kind(cache, &v1.Bar{}), handler.EnqueueRequestsFromMapFunc(f))")}, ""},
		"another kind":         {map[string]string{"a.go": setup("example.com/op/api/v1", "b.For(&v1.Foo{}).Owns(&v1.Bar{})")}, ""},
		"a webhook":            {map[string]string{"a.go": setup("example.com/op/api/v1", "ctrl.NewWebhookManagedBy(mgr).For(&v1.Bar{})")}, ""},
		"groups in folders":    {map[string]string{"a.go": setup("example.com/op/api/fiz/v1", "b.For(&v1.Bar{})"), "b.go": setup("example.com/op/api/foo/v1", "b.For(&v1.Bar{})")}, "b.go"},
		"only the other group": {map[string]string{"a.go": setup("example.com/op/api/fiz/v1", "b.For(&v1.Bar{})")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if c := parsed(test.files).Controller("foo.example.com", "Bar", []string{"fiz.example.com"}); c != nil {
				got = c.File
			}
			if got != test.want {
				t.Errorf("Controller(foo.example.com, Bar) is in %q, want %q", got, test.want)
			}
		})
	}
}

func TestPrograms(t *testing.T) {
	t.Parallel()
	const (
		manager = "package main\n\nfunc main() { ctrl.NewManager(config, options) }\n"
		tool    = "package main\n\nfunc main() {}\n"
	)
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"cmd":                      {map[string]string{"cmd/main.go": manager}, "cmd"},
		"the root folder":          {map[string]string{"main.go": manager, "cmd/plugin/main.go": tool}, "."},
		"a folder of cmd":          {map[string]string{"cmd/manager/main.go": manager, "cmd/agent/main.go": manager}, "cmd/manager"},
		"another file name":        {map[string]string{"cmd/controller/root.go": manager, "cmd/controller/serve.go": tool}, "cmd/controller"},
		"a manager before a place": {map[string]string{"cmd/main.go": tool, "run/main.go": manager}, "run"},
		"without a manager":        {map[string]string{"main.go": tool, "gen/main.go": tool}, "."},
		"no program":               {map[string]string{"op.go": "package op\n"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if all := parsed(test.files).Programs(); len(all) > 0 {
				got = all[0].Dir
			}
			if got != test.want {
				t.Errorf("Programs() starts with %q, want %q", got, test.want)
			}
		})
	}
}

func TestReadIgnoresOtherFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/op\n", "main.go": "package main\n", "broken.go": "package main\nfunc {", "main_test.go": "package main\n",
		"vendor/a/a.go": "package main\n", ".hidden/a.go": "package main\n", "api/zz_generated.deepcopy.go": "package api\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m, err := Read(folder)
	if err != nil || len(m.files) != 1 || m.files[0].path != "main.go" {
		t.Errorf("Read = %d files, %v, want only main.go", len(m.files), err)
	}
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "reading go.mod: ") {
		t.Errorf("Read of an empty folder = %v, want an error about go.mod", err)
	}
}

// No text makes the search panic or run forever.
func FuzzParse(f *testing.F) {
	for _, text := range []string{reconciler(`cache.Status.Phase = Phase(Phase("x"))`), other, api, "package a\nconst A = B\nconst B = A\nfunc f() { g(); x.For(&Cache{}) }\nfunc g() { f(); set(C{Type: A, Status: B}) }\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m := parsed(map[string]string{"a/a.go": text})
		m.Programs()
		m.TracedWebhook()
		if c := m.Controller("cache.example.com", "Cache", []string{"other.example.com"}); c != nil {
			c.Condition()
			c.Field("phase", nil)
		}
	})
}
