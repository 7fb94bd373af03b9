package generated

import (
	"context"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// child is one write of a child: the object, and the client to write it with.
type child struct {
	*program

	client.Client
	step

	want object
}

// childVerbs are the ways in which operators write children. Each returns the caller's object after
// the write.
var childVerbs = map[string]func(context.Context, child) (client.Object, error){
	"create-or-update": func(ctx context.Context, c child) (client.Object, error) { return c.createOrUpdate(ctx) },
	"create-or-patch": func(ctx context.Context, c child) (client.Object, error) {
		obj := c.blank()
		op, err := controllerutil.CreateOrPatch(ctx, c.Client, obj, func() error { set(c.step, obj, c.want); return nil })
		c.log.add("  %s", op)
		return obj, err
	},
	"create-else-update": func(ctx context.Context, c child) (client.Object, error) { return c.createElseUpdate(ctx) },
	"update-blind": func(ctx context.Context, c child) (client.Object, error) {
		if isCustom(c.Kind) { // custom kinds require a resource version
			return c.createElseUpdate(ctx)
		}
		obj := build(c.step, c.want)
		err := c.Update(ctx, obj)
		if apierrors.IsNotFound(err) {
			err = c.Create(ctx, obj)
		}
		return obj, err
	},
	"create-else-ignore": func(ctx context.Context, c child) (client.Object, error) {
		obj := build(c.step, c.want)
		return obj, client.IgnoreAlreadyExists(c.Create(ctx, obj))
	},
	"apply": func(ctx context.Context, c child) (client.Object, error) {
		if c.Lock {
			if err := client.IgnoreNotFound(c.Get(ctx, c.key(), c.blank())); err != nil {
				return nil, err
			}
		}
		return c.apply(ctx)
	},
	"patch-apply": func(ctx context.Context, c child) (client.Object, error) {
		obj := build(c.step, c.want)
		return obj, c.Patch(ctx, obj, client.Apply, client.FieldOwner("generated"), client.ForceOwnership) //nolint:staticcheck // deprecated, but operators still use it
	},
	"merge-patch": func(ctx context.Context, c child) (client.Object, error) {
		return c.change(ctx, func(base client.Object) client.Patch {
			if c.Lock {
				return client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})
			}
			return client.MergeFrom(base)
		})
	},
	"strategic-patch": func(ctx context.Context, c child) (client.Object, error) {
		return c.change(ctx, func(base client.Object) client.Patch {
			switch {
			case isCustom(c.Kind) || !c.Typed:
				return client.MergeFrom(base)
			case c.Lock:
				return client.StrategicMergeFrom(base, client.MergeFromWithOptimisticLock{})
			default:
				return client.StrategicMergeFrom(base)
			}
		})
	},
	"json-patch": func(ctx context.Context, c child) (client.Object, error) {
		return c.readThen(ctx, func(live, obj client.Object) error {
			path, value := pathOf(c.Kind, c.value())
			operations := []object{{"op": "add", "path": path, "value": value}}
			if c.Lock {
				operations = append(operations, object{"op": "test", "path": "/metadata/resourceVersion", "value": live.GetResourceVersion()})
			}
			return c.Patch(ctx, obj, raw(types.JSONPatchType, operations))
		})
	},
	"raw-merge-patch": func(ctx context.Context, c child) (client.Object, error) {
		obj := c.blank()
		err := c.Patch(ctx, obj, raw(types.MergePatchType, c.want), client.FieldOwner("raw"))
		if !apierrors.IsNotFound(err) {
			return obj, err
		}
		obj = build(c.step, c.want)
		return obj, c.Create(ctx, obj)
	},
	"recreate": func(ctx context.Context, c child) (client.Object, error) {
		return c.readThen(ctx, func(live, obj client.Object) error {
			if live.GetAnnotations()[hashAnnotation] == c.value() {
				return nil
			}
			if err := client.IgnoreNotFound(c.Delete(ctx, live, deleteNow, client.Preconditions{UID: new(live.GetUID())})); err != nil {
				return err
			}
			return c.Create(ctx, obj)
		})
	},
	"generate-name": func(ctx context.Context, c child) (client.Object, error) {
		list := newList(c.Kind, c.Typed)
		labels := c.want["metadata"].(object)["labels"].(object)               //nolint:forcetypeassert // desired created them
		mine := client.MatchingLabels{childLabel: labels[childLabel].(string)} //nolint:forcetypeassert // desired created it
		if err := c.List(ctx, list, client.InNamespace(c.key().Namespace), mine); err != nil {
			return nil, err
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			return nil, err
		}
		obj := build(c.step, c.want)
		if len(items) == 0 {
			obj.SetGenerateName(obj.GetName() + "-gen-")
			obj.SetName("")
			return obj, c.Create(ctx, obj)
		}
		obj = items[0].(client.Object) //nolint:forcetypeassert // every kind here is an object
		obj.GetObjectKind().SetGroupVersionKind(kinds[c.Kind])
		name := obj.GetName()
		set(c.step, obj, c.want)
		obj.SetName(name)
		return obj, c.Update(ctx, obj)
	},
	"dry-run-apply": func(ctx context.Context, c child) (client.Object, error) {
		live := c.blank()
		err := c.Get(ctx, c.key(), live)
		if client.IgnoreNotFound(err) != nil {
			return nil, err
		}
		would := applyConfiguration(c.step, c.want)
		if err := c.Apply(ctx, would, client.FieldOwner("generated"), client.ForceOwnership, client.DryRunAll); err != nil {
			return nil, err
		}
		c.log.object("would", asObject(applied(would)), nil)
		if err == nil && !differs(content(live), applied(would)) {
			return live, nil
		}
		return c.apply(ctx)
	},
	"dry-run-update": func(ctx context.Context, c child) (client.Object, error) {
		return c.readThen(ctx, func(live, obj client.Object) error {
			obj.SetResourceVersion(live.GetResourceVersion())
			would := obj.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy has the type
			if err := c.Update(ctx, would, client.DryRunAll); err != nil {
				return err
			}
			c.log.object("would", would, nil)
			if !differs(content(live), content(would)) {
				return nil
			}
			return c.Update(ctx, obj)
		})
	},
	"dry-run-patch": func(ctx context.Context, c child) (client.Object, error) {
		return c.readThen(ctx, func(live, _ client.Object) error {
			would := live.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy has the type
			patch := raw(types.MergePatchType, c.want)
			if err := c.Patch(ctx, would, patch, client.DryRunAll); err != nil {
				return err
			}
			c.log.object("would", would, nil)
			if !differs(content(live), content(would)) {
				return nil
			}
			return c.Patch(ctx, live, patch)
		})
	},
	"dry-run-create": func(ctx context.Context, c child) (client.Object, error) {
		would := build(c.step, c.want)
		if err := client.IgnoreAlreadyExists(client.NewDryRunClient(c.Client).Create(ctx, would)); err != nil {
			return nil, err
		}
		c.log.object("would", would, nil)
		return c.createOrUpdate(ctx)
	},
}

func (c child) key() client.ObjectKey { return client.ObjectKeyFromObject(asObject(c.want)) }

// blank returns an object that has only a name.
func (c child) blank() client.Object {
	obj := newObject(c.Kind, c.Typed)
	obj.SetNamespace(c.key().Namespace)
	obj.SetName(c.key().Name)
	return obj
}

func (c child) value() string {
	metadata := c.want["metadata"].(object)                          //nolint:forcetypeassert // desired created it
	return metadata["annotations"].(object)[hashAnnotation].(string) //nolint:forcetypeassert // desired created them
}

// readThen creates the child if it does not exist. Otherwise it calls f with the live and a newly
// built object.
func (c child) readThen(ctx context.Context, f func(live, obj client.Object) error) (client.Object, error) {
	live, obj := c.blank(), build(c.step, c.want)
	err := c.Get(ctx, c.key(), live)
	switch {
	case apierrors.IsNotFound(err):
		return obj, c.Create(ctx, obj)
	case err != nil:
		return nil, err
	default:
		return obj, f(live, obj)
	}
}

func (c child) createElseUpdate(ctx context.Context) (client.Object, error) {
	return c.readThen(ctx, func(live, obj client.Object) error {
		obj.SetResourceVersion(live.GetResourceVersion())
		return c.Update(ctx, obj)
	})
}

func (c child) createOrUpdate(ctx context.Context) (client.Object, error) {
	obj := c.blank()
	op, err := controllerutil.CreateOrUpdate(ctx, c.Client, obj, func() error { set(c.step, obj, c.want); return nil })
	c.log.add("  %s", op)
	return obj, err
}

// change reads the child, sets the wanted fields, and patches the difference.
func (c child) change(ctx context.Context, patch func(base client.Object) client.Patch) (client.Object, error) {
	var live client.Object
	obj, err := c.readThen(ctx, func(read, _ client.Object) error {
		live = read
		base := read.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy has the type
		set(c.step, live, c.want)
		if !c.Always && !differs(content(base), content(live)) {
			return nil
		}
		return c.Patch(ctx, live, patch(base))
	})
	if live != nil {
		return live, err
	}
	return obj, err
}

func (c child) apply(ctx context.Context) (client.Object, error) {
	ac := applyConfiguration(c.step, c.want)
	if err := c.Apply(ctx, ac, client.FieldOwner("generated"), client.ForceOwnership); err != nil {
		return nil, err
	}
	return asObject(applied(ac)), nil
}

// after runs the action that follows the write.
func (c child) after(ctx context.Context) error {
	switch {
	case c.After == "read":
		return client.IgnoreNotFound(c.Get(ctx, c.key(), c.blank()))
	case c.After == "status" && c.Kind == widget && c.Verb != "generate-name":
		obj := c.blank()
		if err := c.Get(ctx, c.key(), obj); err != nil {
			return err
		}
		base := obj.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy has the type
		m := content(obj)
		overlay(m, object{"status": object{"phase": "Seen"}})
		fill(obj, m)
		if c.Lock {
			return c.Status().Update(ctx, obj)
		}
		return c.Status().Patch(ctx, obj, client.MergeFrom(base))
	case c.After == "scale" && c.Kind == deployment && c.Verb != "generate-name":
		return c.scale(ctx)
	}
	return nil
}

// scale sets one replica through the subresource.
func (c child) scale(ctx context.Context) error {
	obj := c.blank()
	var scale client.Object = &autoscalingv1.Scale{}
	if !c.Typed {
		scale = &unstructured.Unstructured{Object: object{"apiVersion": "autoscaling/v1", "kind": "Scale"}}
	}
	if err := c.SubResource("scale").Get(ctx, obj, scale); err != nil {
		return err
	}
	m := content(scale)
	if replicas, _, _ := unstructured.NestedInt64(m, "spec", "replicas"); replicas == 1 && !c.Always {
		return nil
	}
	overlay(m, object{"spec": object{"replicas": int64(1)}})
	fill(scale, m)
	return c.SubResource("scale").Update(ctx, obj, client.WithSubResourceBody(scale))
}
