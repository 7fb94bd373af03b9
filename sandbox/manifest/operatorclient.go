package manifest

import (
	"encoding/base64"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/credentials"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/project/kinds"
)

const (
	// clientSecret is the Secret with an [OperatorClient]. clientVolume is its volume in the Pod.
	clientSecret = "operator-tracing-sandbox-client"
	clientVolume = "operator-tracing-sandbox-client"
	clientFolder = "/var/run/secrets/operator-tracing-sandbox/client"
	// clientAnnotation is on the operator's Pods. client-go reads a certificate again only after
	// minutes, so a new certificate creates a new Pod.
	clientAnnotation = "operator-tracing-sandbox/client"
	kubeconfigKey    = "kubeconfig"
)

// OperatorClient is a client certificate of the operator.
type OperatorClient struct {
	// Server is the API server's URL for Pods; see [workload.ServerForPods]. CA is its certificate
	// authority as PEM.
	Server string
	CA     []byte
	// Certificate and Key are PEM.
	Certificate, Key []byte
	// Revision identifies the certificate.
	Revision string
}

// mount changes the operator's Deployment so that its manager uses this certificate, and returns the
// Secret with it. The manager finds its kubeconfig by the environment, unless its manifests name
// another one.
func (o *OperatorClient) mount(deployment *unstructured.Unstructured, manager map[string]any) (*unstructured.Unstructured, error) {
	addEnv(manager, []project.Variable{{Name: "KUBECONFIG", Value: clientFolder + "/" + kubeconfigKey}})
	mounts, _ := manager["volumeMounts"].([]any)
	manager["volumeMounts"] = append(mounts, map[string]any{"name": clientVolume, "mountPath": clientFolder, "readOnly": true})
	volumes, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "volumes")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", apply.Describe(deployment), err)
	}
	volumes = append(volumes, map[string]any{"name": clientVolume, "secret": map[string]any{"secretName": clientSecret}})
	err = errors.Join(unstructured.SetNestedSlice(deployment.Object, volumes, "spec", "template", "spec", "volumes"),
		unstructured.SetNestedField(deployment.Object, o.Revision, "spec", "template", "metadata", "annotations", clientAnnotation))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", apply.Describe(deployment), err)
	}
	return o.secret(deployment.GetNamespace())
}

func (o *OperatorClient) secret(namespace string) (*unstructured.Unstructured, error) {
	kubeconfig, err := credentials.Kubeconfig{
		Server: o.Server, CAData: o.CA,
		CertFile: clientFolder + "/" + corev1.TLSCertKey, KeyFile: clientFolder + "/" + corev1.TLSPrivateKeyKey,
	}.Text()
	if err != nil {
		return nil, fmt.Errorf("writing its kubeconfig: %w", err)
	}
	data := map[string]any{}
	for name, value := range map[string][]byte{
		kubeconfigKey: kubeconfig, corev1.TLSCertKey: o.Certificate, corev1.TLSPrivateKeyKey: o.Key,
	} {
		data[name] = base64.StdEncoding.EncodeToString(value)
	}
	secret := kinds.New(corev1.SchemeGroupVersion.WithKind("Secret"), namespace, clientSecret)
	secret.Object["type"], secret.Object["data"] = string(corev1.SecretTypeOpaque), data
	return secret, nil
}
