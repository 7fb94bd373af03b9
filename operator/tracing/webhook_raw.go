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

// WrapAdmissionHandler returns a handler that traces requests as [WrapDefaulter] does. It is for
// handlers of raw requests, which [admission.Webhook] serves. It reads the object from the request,
// applies the patches of h to it, and appends the operations for the tracing annotations to the
// response. A nil h, nil pointer or nil HandlerFunc allows every request. Unlike a defaulter, such
// a handler sends no patch for the fields that a Go type adds.
//
// A response that does not allow the request is returned unchanged. Its span has an event "denied",
// or an error if the handler failed: a code of 500 or more, or a code of 400 or more without a
// reason, except 403, as [admission.Errored] returns. An object that is not a JSON object with
// string annotations gets no span and no context. If the API server cannot apply the patches of h,
// the object gets no context and the span has an error. Requests for anything except the creation
// or update of a main resource go to h unchanged. So does every request while tracing is off.
//
// Handlers in [admission.MultiMutatingHandler] do not see the patches of each other: wrap the
// combined handler, not its parts. A panic of h is recorded and continues. The wrapper is as safe
// for concurrent use as h.
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
	if ctx == nil || h.cfg.off() || !admits(ctx, &req) {
		return h.inner.Handle(ctx, req)
	}
	b, err := readRaw(req.Object.Raw)
	if err != nil {
		return h.inner.Handle(ctx, req)
	}
	a := newAdmission(ctx, h.cfg, req, &unstructured.Unstructured{Object: b})
	if a == nil {
		return h.inner.Handle(ctx, req)
	}
	return h.admit(a)
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
			a.setObject(&unstructured.Unstructured{Object: b})
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

// setObject sets the object that the inner webhook returned.
func (a *admissionRun) setObject(obj *unstructured.Unstructured) {
	a.span.mu.Lock() // newSpan reads obj with this lock held
	defer a.span.mu.Unlock()
	a.obj = obj
}

var errNoObject = errors.New("not an object with string annotations")

// readRaw reads an object and checks that its annotations are strings.
func readRaw(raw []byte) (jsonObject, error) {
	b, err := parseObject(raw)
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

// refusal converts the result of a response that does not allow the request to an error. The result
// may be incomplete: [admission.Response.Complete] runs later.
func refusal(result *metav1.Status) error {
	if result == nil {
		result = &metav1.Status{Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden}
	}
	return &apierrors.StatusError{ErrStatus: *result}
}

// patched applies the patch of a response to an object. It returns nil if the response has no
// patch.
func patched(raw []byte, resp *admission.Response) (jsonObject, error) {
	data := resp.Patch
	switch {
	case len(resp.Patches) > 0: // they take precedence over Patch
		var err error
		if data, err = json.Marshal(resp.Patches); err != nil {
			return nil, fmt.Errorf("encoding the patches of the webhook's handler: %w", err)
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
		return nil, fmt.Errorf("reading the object that the webhook's handler patched: %w", err)
	}
	return b, nil
}

// contextPatch returns the fewest operations that make the object's tracing annotations equal to
// values. They remove the tracing annotations if there is no room for them.
func contextPatch(b jsonObject, keys annotationKeys, values map[string]string) []jsonpatch.Operation {
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

// pointerEscape escapes a key for a JSON pointer (RFC 6901).
var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

// extend appends operations to a response, to Patches or Patch, whichever the response uses. It
// does not write to the slices of the response, which other responses may share.
func extend(resp *admission.Response, ops []jsonpatch.Operation) {
	if len(resp.Patches) > 0 || len(resp.Patch) == 0 {
		resp.Patches = slices.Concat(resp.Patches, ops)
		resp.PatchType = new(admissionv1.PatchTypeJSONPatch)
		return
	}
	var all []json.RawMessage
	if json.Unmarshal(resp.Patch, &all) != nil {
		return // impossible: patched has applied it
	}
	for i := range ops {
		op, err := ops[i].MarshalJSON()
		if err != nil {
			return // impossible: the values are strings
		}
		all = append(all, op)
	}
	if joined, err := json.Marshal(all); err == nil {
		resp.Patch = joined
	}
}
