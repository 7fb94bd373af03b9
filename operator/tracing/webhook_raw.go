package tracing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	evanphx "github.com/evanphx/json-patch/v5"
	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// WrapAdmissionHandler is [WrapDefaulter] for a handler of requests as they come, served by webhook.Admission:
// it reads the object from the request, finds out by h's own patches what becomes of it, and adds to them the
// operations that the context's annotations need. A nil h, and a nil HandlerFunc, allows everything.
//
// A response that does not allow the request is handed on as it is. Its span has an event "denied", or is an
// error where the handler could not do its work: a code of 500 or more, or one of 400 or more without a
// reason that is not 403, as [admission.Errored] gives. An object that is no JSON object with string
// annotations gets no span and no context, and h's patches that cannot be applied, which the API server will
// refuse, no context and a span that says so. Requests for anything but the creation or update of a main
// resource go to h as they are, as do all while tracing is off.
//
// Handlers that [admission.MultiMutatingHandler] calls for one object do not see each other's patches: wrap
// that one, not its parts. A panic of h is recorded and goes on. The wrapper is as safe for concurrent use as h.
func WrapAdmissionHandler(h admission.Handler, opts ...Option) admission.Handler {
	if f, ok := h.(admission.HandlerFunc); ok && f == nil || isNil(h) {
		h = admission.HandlerFunc(allow)
	}
	return &rawHandler{inner: h, cfg: newConfig(opts)}
}

func allow(context.Context, admission.Request) admission.Response {
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Allowed: true}}
}

type rawHandler struct {
	inner admission.Handler
	cfg   *config
}

// Handle implements admission.Handler.
func (h *rawHandler) Handle(ctx context.Context, req admission.Request) admission.Response {
	if h.cfg.off() || !admits(ctx, &req) {
		return h.inner.Handle(ctx, req)
	}
	b, err := readRaw(req.Object.Raw)
	if err != nil {
		return h.inner.Handle(ctx, req)
	}
	return h.admit(newAdmission(ctx, h.cfg, req, &unstructured.Unstructured{Object: b}))
}

func (h *rawHandler) admit(a *admissionRun) admission.Response {
	var resp admission.Response
	values, err := a.run(func(ctx context.Context) error {
		resp = h.inner.Handle(ctx, a.req)
		if !resp.Allowed {
			return refusal(resp.Result)
		}
		b, err := patched(a.req.Object.Raw, &resp)
		if b != nil {
			a.becomes(&unstructured.Unstructured{Object: b})
		}
		return err
	})
	if err != nil || values == nil {
		return resp
	}
	if ops := contextPatch(a.obj.(*unstructured.Unstructured).Object, h.cfg.keys, values); len(ops) > 0 {
		extend(&resp, ops)
	}
	return resp
}

// becomes takes the object as the inner webhook left it.
func (a *admissionRun) becomes(obj *unstructured.Unstructured) {
	a.span.mu.Lock() // under which the span's start reads it
	defer a.span.mu.Unlock()
	a.obj = obj
}

var errNoObject = errors.New("no object with annotations that are strings")

// readRaw reads an object whose annotations can be told and changed.
func readRaw(raw []byte) (body, error) {
	b, err := parseBody(raw)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, errNoObject
	}
	switch metadata := b["metadata"].(type) {
	case nil:
		return b, nil
	case map[string]any:
		if metadata["annotations"] == nil {
			return b, nil
		}
		if _, ok, err := unstructured.NestedStringMap(metadata, "annotations"); !ok || err != nil {
			return nil, errNoObject
		}
		return b, nil
	default:
		return nil, errNoObject
	}
}

// refusal is a response that does not allow the request, as an error. Complete, which runs later, gives it
// an UID and a code.
func refusal(result *metav1.Status) error {
	if result == nil {
		result = &metav1.Status{Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden}
	}
	return &apierrors.StatusError{ErrStatus: *result}
}

// patched gives what a response makes of the object; nil where it changes nothing.
func patched(raw []byte, resp *admission.Response) (body, error) {
	data := resp.Patch
	switch {
	case len(resp.Patches) > 0: // which take precedence over bytes
		var err error
		if data, err = json.Marshal(resp.Patches); err != nil {
			return nil, fmt.Errorf("reading the patches of the webhook's handler: %w", err)
		}
	case len(data) == 0:
		return nil, nil
	case resp.PatchType == nil || *resp.PatchType != admissionv1.PatchTypeJSONPatch:
		return nil, errors.New("the patch of the webhook's handler is not of type JSONPatch")
	}
	patch, err := evanphx.DecodePatch(data)
	if err != nil {
		return nil, fmt.Errorf("reading the patch of the webhook's handler: %w", err)
	}
	if len(patch) == 0 {
		return nil, nil
	}
	after, err := patch.Apply(raw)
	if err != nil {
		return nil, fmt.Errorf("applying the patch of the webhook's handler: %w", err)
	}
	b, err := readRaw(after)
	if err != nil {
		return nil, fmt.Errorf("reading the object that the webhook's handler made: %w", err)
	}
	return b, nil
}

// contextPatch gives the fewest operations after which the object's annotations for the context are exactly
// values, or none where it would have too many.
func contextPatch(b body, keys annotationKeys, values map[string]string) []jsonpatch.Operation {
	before := (&unstructured.Unstructured{Object: b}).GetAnnotations()
	after := keys.put(before, values)
	metadata, _ := b["metadata"].(map[string]any)
	switch {
	case len(before) == 0 && len(after) == 0:
		return nil
	case metadata == nil:
		return []jsonpatch.Operation{jsonpatch.NewOperation("add", "/metadata", map[string]any{"annotations": after})}
	case metadata["annotations"] == nil:
		return []jsonpatch.Operation{jsonpatch.NewOperation("add", "/metadata/annotations", after)}
	}
	var ops []jsonpatch.Operation
	for _, key := range keys.all {
		path := "/metadata/annotations/" + pointerEscape.Replace(key)
		was, had := before[key]
		value, has := after[key]
		switch {
		case has && !had:
			ops = append(ops, jsonpatch.NewOperation("add", path, value))
		case has && value != was:
			ops = append(ops, jsonpatch.NewOperation("replace", path, value))
		case had && !has:
			ops = append(ops, jsonpatch.NewOperation("remove", path, nil))
		}
	}
	return ops
}

// pointerEscape writes a key as a token of a JSON pointer (RFC 6901).
var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

// extend adds operations to those of a response, in the form in which it has them. Its own slices, which
// may be shared with other responses, stay as they are.
func extend(resp *admission.Response, ops []jsonpatch.Operation) {
	if len(resp.Patches) > 0 || len(resp.Patch) == 0 {
		resp.Patches = slices.Concat(resp.Patches, ops)
		resp.PatchType = new(admissionv1.PatchTypeJSONPatch)
		return
	}
	var all []json.RawMessage
	if json.Unmarshal(resp.Patch, &all) != nil {
		return // it was applied, so it is an array
	}
	for i := range ops {
		op, err := ops[i].MarshalJSON()
		if err != nil {
			return // of nothing but strings, which can be marshalled
		}
		all = append(all, op)
	}
	if joined, err := json.Marshal(all); err == nil {
		resp.Patch = joined
	}
}
