package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

// rival changes an object right before a chosen write of the operator, so that
// the API server answers that write with a conflict. It is safe for concurrent use.
type rival struct {
	admin client.Client

	mu    sync.Mutex
	armed []string       // writes to come before, as "patch heads/status"
	wins  map[string]int // by write
}

func newRival(admin client.Client) *rival {
	return &rival{admin: admin, wins: map[string]int{}}
}

func (r *rival) arm(writes []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.armed = append(r.armed, writes...)
}

// pending are the writes that have not come.
func (r *rival) pending() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.armed)
}

func (r *rival) before(ctx context.Context, verb string, obj client.Object, subresource string) error {
	gvk, err := r.admin.GroupVersionKindFor(obj)
	if err != nil {
		return err
	}
	mapping, err := r.admin.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return err
	}
	write := verb + " " + mapping.Resource.Resource + subresource
	n := r.win(write)
	if n == 0 {
		return nil
	}
	theirs := obj.DeepCopyObject().(client.Object)
	key := "rival.example.com/" + strings.NewReplacer(" ", "-", "/", "-").Replace(write)
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":{%q:"%d"}}}`, key, n))
	if err := r.admin.Patch(ctx, theirs, patch); err != nil {
		return fmt.Errorf("changing %s %s before the operator does: %w", gvk.Kind, obj.GetName(), err)
	}
	return nil
}

// win gives the how manieth of its kind this write is to be beaten, 0 if it is not.
func (r *rival) win(write string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.armed, write)
	if i < 0 {
		return 0
	}
	r.armed = slices.Delete(r.armed, i, i+1)
	r.wins[write]++
	return r.wins[write]
}

// rivalledClient is the operator's client, beneath the wrapped one, with a rival.
// It counts what the API server cannot see: reads from the cache, and metadata in
// a status write, which the server ignores.
type rivalledClient struct {
	client.Client
	rival *rival
	ids   *requestIDs
}

func (c rivalledClient) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	c.ids.note(fmt.Sprintf("get %T from the cache", obj))
	return c.Client.Get(ctx, key, obj, opts...)
}

func (c rivalledClient) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	c.ids.note(fmt.Sprintf("list %T from the cache", list))
	return c.Client.List(ctx, list, opts...)
}

func (c rivalledClient) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	if err := c.rival.before(ctx, "update", obj, ""); err != nil {
		return err
	}
	return c.Client.Update(ctx, obj, opts...)
}

func (c rivalledClient) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	if err := c.rival.before(ctx, "patch", obj, ""); err != nil {
		return err
	}
	return c.Client.Patch(ctx, obj, patch, opts...)
}

func (c rivalledClient) Status() client.SubResourceWriter {
	return rivalledStatus{c.Client.Status(), c.rival, c.ids}
}

type rivalledStatus struct {
	client.SubResourceWriter
	rival *rival
	ids   *requestIDs
}

func (s rivalledStatus) Update(ctx context.Context, obj client.Object, opts ...client.SubResourceUpdateOption) error {
	if err := s.rival.before(ctx, "update", obj, "/status"); err != nil {
		return err
	}
	return s.SubResourceWriter.Update(ctx, obj, opts...)
}

func (s rivalledStatus) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	if err := s.rival.before(ctx, "patch", obj, "/status"); err != nil {
		return err
	}
	if data, err := patch.Data(obj); err != nil || bytes.Contains(data, []byte("annotations")) {
		s.ids.note(fmt.Sprintf("patch the status of %T with annotations (%v)", obj, err))
	}
	return s.SubResourceWriter.Patch(ctx, obj, patch, opts...)
}

func (s rivalledStatus) Apply(context.Context, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
	return fmt.Errorf("the reference operator applies no status, so conflicts of it are not played")
}

// requestIDs notes under which audit id each request went out, and during which
// act: the audit log says what a request was, this says when.
type requestIDs struct {
	mu    sync.Mutex
	act   string
	told  int                       // requests with a trace context in their header
	acts  map[string]string         // by audit id
	notes map[string]map[string]int // by act
}

func newRequestIDs() *requestIDs {
	return &requestIDs{act: "start", acts: map[string]string{}, notes: map[string]map[string]int{}}
}

// headers gives how many requests had a trace context in their header.
func (i *requestIDs) headers() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.told
}

// noted gives a copy of the notes.
func (i *requestIDs) noted() map[string]map[string]int {
	i.mu.Lock()
	defer i.mu.Unlock()
	out := make(map[string]map[string]int, len(i.notes))
	for act, counts := range i.notes {
		out[act] = maps.Clone(counts)
	}
	return out
}

// note counts what is no request.
func (i *requestIDs) note(what string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.notes[i.act] == nil {
		i.notes[i.act] = map[string]int{}
	}
	i.notes[i.act][what]++
}

func (i *requestIDs) begin(act string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.act = act
}

func (i *requestIDs) all() map[string]string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return maps.Clone(i.acts)
}

// wrap is for rest.Config.Wrap.
func (i *requestIDs) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		i.mu.Lock()
		act := i.act
		if req.Header.Get(tracing.TraceparentKey) != "" {
			i.told++
		}
		i.mu.Unlock()
		answer, err := next.RoundTrip(req)
		if err == nil {
			i.mu.Lock()
			i.acts[answer.Header.Get("Audit-Id")] = act
			i.mu.Unlock()
		}
		return answer, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
