package credentials

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"slices"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/certificate/csr"
	"k8s.io/client-go/util/keyutil"

	"github.com/operator-tracing/sandbox/sandbox/pki"
)

const (
	// certificateLife is the validity of a client certificate. It is short because a certificate
	// cannot be revoked.
	certificateLife = 7 * 24 * time.Hour
	// certificateRenewal is the remaining validity below which a certificate is renewed.
	certificateRenewal = certificateLife / 2
	// signTimeout is the time within which the cluster must sign a request.
	signTimeout = 30 * time.Second
	// approval is the reason of the approval condition.
	approval = "SandboxApproves"
)

// TracingGroup is the group of users whose trace contexts kube-apiserver continues.
const TracingGroup = "system:monitoring"

// Client is a user of the API server.
type Client struct {
	User string
	// Groups are the groups in the certificate. Their order is not significant. The API server adds
	// system:authenticated.
	Groups []string
}

// TracedAccount returns a ServiceAccount as a user in [TracingGroup]. The user has the same
// permissions as with a token of the account.
func TracedAccount(namespace, account string) Client {
	const group = "system:serviceaccounts"
	return Client{User: "system:serviceaccount:" + namespace + ":" + account, Groups: []string{TracingGroup, group, group + ":" + namespace}}
}

// Certificate ensures that the files base.crt and base.key are a certificate and key that the API
// server accepts for the client. It requests a new certificate if a file is missing or invalid, if
// less than half of the validity of one week remains, if the certificate belongs to another client,
// or if the API server rejects it. It uses the CertificateSigningRequest API with a key that never
// leaves this machine, and deletes the request afterwards. The user of the Issuer must be allowed
// to approve and delete such requests. Only the owner can read the files. A base must not have
// concurrent callers. Errors name the user and never contain a key.
func (i *Issuer) Certificate(ctx context.Context, base string, client Client) (*pki.Pair, error) {
	pair, err := i.loadPair(base, client)
	if err == nil {
		if err = i.acceptedPair(ctx, pair, client); err != nil && !errors.Is(err, errRejected) {
			return nil, fmt.Errorf("checking the certificate of %s: %w", client.User, err)
		}
	}
	if err == nil {
		return pair, nil
	}
	certificate, key, err := i.requestPair(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("requesting a certificate of %s: %w", client.User, err)
	}
	if pair, err = pki.NewPair(base, certificate, key); err != nil {
		return nil, fmt.Errorf("reading the certificate of %s that the cluster signed: %w", client.User, err)
	}
	if err := i.acceptedPair(ctx, pair, client); err != nil {
		return nil, fmt.Errorf("checking the new certificate of %s: %w", client.User, err)
	}
	if err := pair.Write(private); err != nil {
		return nil, fmt.Errorf("writing the certificate of %s: %w", client.User, err)
	}
	return pair, nil
}

// loadPair reads a certificate and its key. It returns an error if they are not usable for the
// client.
func (i *Issuer) loadPair(base string, client Client) (*pki.Pair, error) {
	pair, err := pki.LoadPair(base)
	if err != nil {
		return nil, err
	}
	leaf, now := pair.Leaf, i.now()
	if now.Before(leaf.NotBefore) || leaf.NotAfter.Sub(now) < certificateRenewal {
		return nil, fmt.Errorf("certificate is valid from %s to %s", leaf.NotBefore, leaf.NotAfter)
	}
	if leaf.Subject.CommonName != client.User || !sameGroups(leaf.Subject.Organization, client.Groups) {
		return nil, fmt.Errorf("certificate belongs to %s", leaf.Subject)
	}
	return pair, nil
}

// requestPair creates a key and has the cluster sign it. It deletes the request afterwards.
func (i *Issuer) requestPair(ctx context.Context, client Client) (certificate, keyPEM []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, signTimeout)
	defer cancel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if keyPEM, err = keyutil.MarshalPrivateKeyToPEM(key); err != nil {
		return nil, nil, err
	}
	request, err := cert.MakeCSR(key, &pkix.Name{CommonName: client.User, Organization: client.Groups}, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	requests := i.admin.CertificatesV1().CertificateSigningRequests()
	made, err := requests.Create(ctx, &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "operator-tracing-sandbox-"},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: request, SignerName: certificatesv1.KubeAPIServerClientSignerName,
			ExpirationSeconds: new(int32(certificateLife / time.Second)),
			Usages:            []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		// Delete the request even if ctx is done. If this fails, the cluster deletes it after an
		// hour.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), acceptTimeout)
		defer cancel()
		deleted := requests.Delete(ctx, made.Name, metav1.DeleteOptions{})
		if err == nil && deleted != nil && !apierrors.IsNotFound(deleted) {
			err = deleted
		}
	}()
	approved := made.DeepCopy()
	approved.Status.Conditions = append(approved.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: approval, Message: "requested by the sandbox",
	})
	if _, err := requests.UpdateApproval(ctx, made.Name, approved, metav1.UpdateOptions{}); err != nil {
		return nil, nil, fmt.Errorf("approving the request: %w", err)
	}
	if certificate, err = csr.WaitForCertificate(ctx, i.admin, made.Name, made.UID); err != nil {
		return nil, nil, fmt.Errorf("waiting for kube-controller-manager to sign the request: %w", err)
	}
	return certificate, keyPEM, nil
}

// acceptedPair asks the API server for the user of the certificate. It returns an error that wraps
// errRejected if the user is not client.
func (i *Issuer) acceptedPair(ctx context.Context, pair *pki.Pair, client Client) error {
	config := rest.AnonymousClientConfig(i.config)
	config.CertData, config.KeyData = pair.Certificate, pair.Key
	user, err := reviewed(ctx, config)
	if err != nil {
		return err
	}
	groups := append(slices.Clone(client.Groups), "system:authenticated")
	if user.Username != client.User || !sameGroups(user.Groups, groups) {
		return fmt.Errorf("%w: got user %q in groups %q, want %q in groups %q", errRejected, user.Username, user.Groups, client.User, groups)
	}
	return nil
}

// reviewed asks the API server for the user of a configuration. The error is errRejected if there is
// none.
func reviewed(ctx context.Context, config *rest.Config) (user authenticationv1.UserInfo, err error) {
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return user, err
	}
	review, err := clientset.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if apierrors.IsUnauthorized(err) {
		return user, errRejected
	}
	if err != nil {
		return user, err
	}
	return review.Status.UserInfo, nil
}

func sameGroups(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
