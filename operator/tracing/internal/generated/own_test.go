package generated

import (
	"context"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// owned is one write of the reconciled object.
type owned struct {
	*program

	client.Client
	step

	obj client.Object
}

// ownVerbs are the ways in which operators write the objects that they reconcile. If the object's
// kind does not support a verb, the verb uses the nearest supported write.
var ownVerbs = map[string]func(context.Context, owned) error{
	"status-update": func(ctx context.Context, o owned) error {
		return o.status(ctx, func(client.Object) error { return o.Status().Update(ctx, o.obj) })
	},
	"status-subresource": func(ctx context.Context, o owned) error {
		return o.status(ctx, func(client.Object) error { return o.SubResource("status").Update(ctx, o.obj) })
	},
	"status-patch": func(ctx context.Context, o owned) error {
		return o.status(ctx, func(base client.Object) error {
			if o.Lock {
				return o.Status().Patch(ctx, o.obj, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}))
			}
			return o.Status().Patch(ctx, o.obj, client.MergeFrom(base))
		})
	},
	"status-raw-patch": func(ctx context.Context, o owned) error {
		return o.status(ctx, func(client.Object) error {
			return o.Status().Patch(ctx, o.obj, raw(types.MergePatchType, object{"status": content(o.obj)["status"]}))
		})
	},
	"status-apply": func(ctx context.Context, o owned) error {
		return o.status(ctx, func(client.Object) error {
			ac := client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: o.with("status", content(o.obj)["status"])})
			return o.Status().Apply(ctx, ac, client.FieldOwner("generated-status"), client.ForceOwnership)
		})
	},
	"status-dry-run": func(ctx context.Context, o owned) error {
		return o.status(ctx, func(client.Object) error {
			would := o.obj.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy has the type
			if err := o.Status().Update(ctx, would, client.DryRunAll); err != nil {
				return err
			}
			o.log.object("would", would, nil)
			return o.Status().Update(ctx, o.obj)
		})
	},
	"spec-update": func(ctx context.Context, o owned) error {
		return o.change(o.ownSpec(), func(client.Object) error { return o.Update(ctx, o.obj) })
	},
	"spec-patch": func(ctx context.Context, o owned) error {
		return o.change(o.ownSpec(), func(base client.Object) error { return o.Patch(ctx, o.obj, client.MergeFrom(base)) })
	},
	"spec-apply": func(ctx context.Context, o owned) error {
		m := o.with("", nil)
		overlay(m, o.ownSpec())
		ac := client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: m})
		return o.Apply(ctx, ac, client.FieldOwner("generated-spec"), client.ForceOwnership)
	},
	"annotate": func(ctx context.Context, o owned) error {
		state := object{"metadata": object{"annotations": object{"generated/state": valueOf(o.obj)}}}
		return o.change(state, func(base client.Object) error { return o.Patch(ctx, o.obj, client.MergeFrom(base)) })
	},
	"annotate-replacing": func(ctx context.Context, o owned) error {
		want := map[string]string{"generated/state": valueOf(o.obj)}
		if !o.Always && reflect.DeepEqual(o.obj.GetAnnotations(), want) {
			return nil
		}
		o.obj.SetAnnotations(want)
		return o.Update(ctx, o.obj)
	},
	"label-json-patch": func(ctx context.Context, o owned) error {
		if o.obj.GetLabels() == nil {
			return o.Patch(ctx, o.obj, raw(types.JSONPatchType, []object{{"op": "add", "path": "/metadata/labels", "value": object{"generated": "yes"}}}))
		}
		return o.Patch(ctx, o.obj, raw(types.JSONPatchType, []object{{"op": "add", "path": "/metadata/labels/generated", "value": "yes"}}))
	},
	"spec-dry-run": func(ctx context.Context, o owned) error {
		would := o.obj.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy has the type
		if err := o.Patch(ctx, would, raw(types.MergePatchType, o.ownSpec()), client.DryRunAll); err != nil {
			return err
		}
		o.log.object("would", would, nil)
		if !differs(content(o.obj), content(would)) {
			return nil
		}
		return o.Patch(ctx, o.obj, raw(types.MergePatchType, o.ownSpec()))
	},
}

// with returns the object's identity and one more field; an empty key adds no field.
func (o owned) with(key string, value any) object {
	m := object{
		"apiVersion": kinds[o.op.Primary].GroupVersion().String(), "kind": o.op.Primary,
		"metadata": object{"namespace": o.obj.GetNamespace(), "name": o.obj.GetName()},
	}
	if key != "" {
		m[key] = value
	}
	return m
}

// ownSpec returns the operator's own change of the reconciled object's desired state.
func (o owned) ownSpec() object {
	if o.op.Primary == configMap {
		return object{"data": object{"own": "7"}}
	}
	return object{"spec": object{"size": int64(7)}}
}

// change sets m in the reconciled object and calls write, unless this changes nothing.
func (o owned) change(m object, write func(base client.Object) error) error {
	base := o.obj.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy has the type
	all := content(o.obj)
	overlay(all, m)
	if !o.Always && reflect.DeepEqual(all, content(base)) {
		return nil
	}
	fill(o.obj, all)
	return write(base)
}

// status sets the status and calls write. Kinds without the status subresource write the whole
// object.
func (o owned) status(ctx context.Context, write func(base client.Object) error) error {
	if o.op.Primary == configMap {
		state := object{"metadata": object{"annotations": object{"generated/status": valueOf(o.obj)}}}
		return o.change(state, func(base client.Object) error { return o.Patch(ctx, o.obj, client.MergeFrom(base)) })
	}
	since := time.Now().UTC().Format(time.RFC3339)
	old, _, _ := unstructured.NestedSlice(content(o.obj), "status", "conditions")
	if len(old) > 0 {
		since, _, _ = unstructured.NestedString(old[0].(object), "lastTransitionTime") //nolint:forcetypeassert // conditions are objects
	}
	generation := o.obj.GetGeneration()
	if o.op.Primary == gadget {
		generation = 1 // a status with the object's generation would raise it
	}
	status := object{"status": object{
		"phase": "Ready", "observedGeneration": generation,
		"conditions": []any{object{"type": "Ready", "status": "True", "reason": "Ready", "message": valueOf(o.obj), "observedGeneration": generation, "lastTransitionTime": since}},
	}}
	return o.change(status, func(base client.Object) error {
		if o.op.Primary == gadget {
			if o.Lock {
				return o.Update(ctx, o.obj)
			}
			return o.Patch(ctx, o.obj, client.MergeFrom(base))
		}
		return write(base)
	})
}
