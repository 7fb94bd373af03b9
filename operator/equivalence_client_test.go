package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

// conflicter changes an object right before a chosen write of the operator, so that the API server
// rejects the write with a conflict. It is safe for concurrent use.
type conflicter struct {
	admin client.Client

	mu    sync.Mutex
	armed []string       // chosen writes, for example "patch heads/status"
	count map[string]int // of conflicts, by write
}

func newConflicter(admin client.Client) *conflicter {
	return &conflicter{admin: admin, count: map[string]int{}}
}

func (c *conflicter) arm(writes []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = append(c.armed, writes...)
}

// pending returns the chosen writes that the operator has not sent yet.
func (c *conflicter) pending() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.armed)
}

func (c *conflicter) before(ctx context.Context, verb string, obj client.Object, subresource string) error {
	gvk, err := c.admin.GroupVersionKindFor(obj)
	if err != nil {
		return err
	}
	mapping, err := c.admin.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return err
	}
	write := verb + " " + mapping.Resource.Resource + subresource
	n := c.take(write)
	if n == 0 {
		return nil
	}
	theirs := obj.DeepCopyObject().(client.Object)
	key := "conflicter.example.com/" + strings.NewReplacer(" ", "-", "/", "-").Replace(write)
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":{%q:"%d"}}}`, key, n))
	if err := c.admin.Patch(ctx, theirs, patch); err != nil {
		return fmt.Errorf("changing %s %s before the operator does: %w", gvk.Kind, obj.GetName(), err)
	}
	return nil
}

// take returns 0 if a write is not chosen, and otherwise how often it was chosen so far.
func (c *conflicter) take(write string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.armed, write)
	if i < 0 {
		return 0
	}
	c.armed = slices.Delete(c.armed, i, i+1)
	c.count[write]++
	return c.count[write]
}

// conflictingClient is the operator's client, inside the wrapped one, with a conflicter. It counts the
// reads from the cache, which the API server does not see.
type conflictingClient struct {
	client.Client
	conflicter *conflicter
	sent       *sentRequests
}

func (c conflictingClient) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	c.sent.countRead(fmt.Sprintf("get %T from the cache", obj))
	return c.Client.Get(ctx, key, obj, opts...)
}

func (c conflictingClient) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	c.sent.countRead(fmt.Sprintf("list %T from the cache", list))
	return c.Client.List(ctx, list, opts...)
}

func (c conflictingClient) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	if err := c.conflicter.before(ctx, "update", obj, ""); err != nil {
		return err
	}
	return c.Client.Update(ctx, obj, opts...)
}

func (c conflictingClient) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	if err := c.conflicter.before(ctx, "patch", obj, ""); err != nil {
		return err
	}
	return c.Client.Patch(ctx, obj, patch, opts...)
}

func (c conflictingClient) Status() client.SubResourceWriter {
	return conflictingStatus{c.Client.Status(), c.conflicter}
}

type conflictingStatus struct {
	client.SubResourceWriter
	conflicter *conflicter
}

func (s conflictingStatus) Update(ctx context.Context, obj client.Object, opts ...client.SubResourceUpdateOption) error {
	if err := s.conflicter.before(ctx, "update", obj, "/status"); err != nil {
		return err
	}
	return s.SubResourceWriter.Update(ctx, obj, opts...)
}

func (s conflictingStatus) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	if err := s.conflicter.before(ctx, "patch", obj, "/status"); err != nil {
		return err
	}
	return s.SubResourceWriter.Patch(ctx, obj, patch, opts...)
}

func (s conflictingStatus) Apply(context.Context, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
	return fmt.Errorf("conflicts of a status apply are not implemented; the operator sends none")
}

// sentRequests records the operator's requests by act. It is safe for concurrent use.
type sentRequests struct {
	namespace string

	mu      sync.Mutex
	act     string
	headers int                       // requests with a trace context in their header
	acts    map[string]string         // by audit id
	reads   map[string]map[string]int // from the cache, by act
	writes  map[string][]string       // normalised, with their bodies, by act
}

func newSentRequests(namespace string) *sentRequests {
	return &sentRequests{
		namespace: namespace, act: "start",
		acts: map[string]string{}, reads: map[string]map[string]int{}, writes: map[string][]string{},
	}
}

func (s *sentRequests) begin(act string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.act = act
}

func (s *sentRequests) countRead(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reads[s.act] == nil {
		s.reads[s.act] = map[string]int{}
	}
	s.reads[s.act][what]++
}

// actsByID returns the act of each request, by audit id.
func (s *sentRequests) actsByID() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.acts)
}

// readsByAct returns the number of reads from the cache.
func (s *sentRequests) readsByAct() map[string]map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]map[string]int, len(s.reads))
	for act, counts := range s.reads {
		out[act] = maps.Clone(counts)
	}
	return out
}

// writesByAct returns the writes, and how many requests had a trace context in their header.
func (s *sentRequests) writesByAct() (writes map[string][]string, headers int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.writes), s.headers
}

// wrap is for rest.Config.Wrap. It must be the first wrapper there, so that it sees what the others send.
func (s *sentRequests) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		s.mu.Lock()
		act := s.act
		s.mu.Unlock()
		var body []byte
		if req.Body != nil {
			var err error
			if body, err = io.ReadAll(req.Body); err != nil {
				return nil, err
			}
			req = req.Clone(req.Context())
			req.Body = io.NopCloser(bytes.NewReader(body))
		}
		resp, err := next.RoundTrip(req)
		if err != nil {
			return resp, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.acts[resp.Header.Get("Audit-Id")] = act
		if req.Header.Get(tracing.TraceparentKey) != "" {
			s.headers++
		}
		if req.Method != http.MethodGet {
			line := fmt.Sprint(req.Method, " ", req.URL.RequestURI(), " ", req.Header.Get("Content-Type"), " ", resp.StatusCode, " ", string(body))
			s.writes[act] = append(s.writes[act], s.normalise(line))
		}
		return resp, nil
	})
}

// differing matches the parts of a request that differ between two runs: UIDs, resource versions and times.
var differing = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|"resourceVersion":"\d+"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

func (s *sentRequests) normalise(text string) string {
	return differing.ReplaceAllString(strings.ReplaceAll(text, s.namespace, "NAMESPACE"), "*")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
