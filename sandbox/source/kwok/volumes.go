package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	storage "k8s.io/component-helpers/storage/volume"
	"sigs.k8s.io/kwok/pkg/log"
)

// provisioner is the provisioner of the StorageClass in config/node. The hostPath provisioner of
// kube-controller-manager cannot replace it: it writes to /tmp/hostpath_pv, which the first user of
// the machine owns.
const provisioner = "operator-tracing-sandbox/simulated"

// volumes creates a PersistentVolume for each claim of [provisioner], and deletes the volume when
// its claim is gone. The volume has no folder, because no container runs.
// kube-controller-manager binds it.
type volumes struct {
	client  kubernetes.Interface
	claims  corelisters.PersistentVolumeClaimLister
	volumes corelisters.PersistentVolumeLister
}

// provision serves claims until ctx is cancelled.
func provision(ctx context.Context, client kubernetes.Interface) {
	factory := informers.NewSharedInformerFactory(client, 0)
	core := factory.Core().V1()
	v := volumes{client: client, claims: core.PersistentVolumeClaims().Lister(), volumes: core.PersistentVolumes().Lister()}
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[cache.ObjectName]())
	logger := log.FromContext(ctx)
	add := func(obj any) {
		if name, err := cache.ObjectToName(obj); err == nil {
			queue.Add(name)
		}
	}
	for _, informer := range []cache.SharedIndexInformer{core.PersistentVolumeClaims().Informer(), core.PersistentVolumes().Informer()} {
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: add, UpdateFunc: func(_, now any) { add(now) }})
		if err != nil { // The informer was stopped, which cannot be before its start.
			logger.Error("Not creating volumes for claims", "err", err)
			return
		}
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	defer context.AfterFunc(ctx, queue.ShutDown)()
	for {
		name, shutdown := queue.Get()
		if shutdown {
			return
		}
		if err := v.sync(ctx, name); err != nil && ctx.Err() == nil {
			logger.Warn("Retrying a claim or volume", "name", name.String(), "err", err)
			queue.AddRateLimited(name)
		} else {
			queue.Forget(name)
		}
		queue.Done(name)
	}
}

// sync handles a claim, or a volume, whose name has no namespace. An object that is gone needs
// nothing.
func (v volumes) sync(ctx context.Context, name cache.ObjectName) error {
	if name.Namespace != "" {
		claim, err := v.claims.PersistentVolumeClaims(name.Namespace).Get(name.Name)
		if err != nil || claim.Spec.VolumeName != "" || claim.Annotations[storage.AnnStorageProvisioner] != provisioner {
			return ignore(apierrors.IsNotFound, err)
		}
		_, err = v.client.CoreV1().PersistentVolumes().Create(ctx, volumeFor(claim), metav1.CreateOptions{})
		return ignore(apierrors.IsAlreadyExists, err)
	}
	volume, err := v.volumes.Get(name.Name)
	if err != nil || volume.Annotations[storage.AnnDynamicallyProvisioned] != provisioner || volume.Status.Phase != corev1.VolumeReleased ||
		volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		return ignore(apierrors.IsNotFound, err)
	}
	return ignore(apierrors.IsNotFound, v.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{}))
}

// ignore returns nil for errors that is accepts.
func ignore(is func(error) bool, err error) error {
	if is(err) {
		return nil
	}
	return err
}

// volumeFor returns the volume of a claim. Its name contains the claim's UID, so that there is one
// volume for each claim.
func volumeFor(claim *corev1.PersistentVolumeClaim) *corev1.PersistentVolume {
	name := fmt.Sprintf("pvc-%s", claim.UID)
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{storage.AnnDynamicallyProvisioned: provisioner}},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes: claim.Spec.AccessModes,
			Capacity:    corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID, ResourceVersion: claim.ResourceVersion,
			},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			// The API server requires a source. Nothing mounts it.
			PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/lib/simulated/" + name}},
			StorageClassName:       storage.GetPersistentVolumeClaimClass(claim),
			VolumeMode:             claim.Spec.VolumeMode,
		},
	}
}
