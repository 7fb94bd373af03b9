package credentials

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
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
	"k8s.io/utils/ptr"

	"github.com/operator-tracing/sandbox/sandbox/pki"
)

const (
	// certificateLife is how long a client's certificate lasts: nothing can call it back before.
	certificateLife = 7 * 24 * time.Hour
	// certificateRenewal is how much of it must be left.
	certificateRenewal = certificateLife / 2
	// signTimeout is how long the cluster may take to sign.
	signTimeout = 30 * time.Second
	// approval is the reason that a request is approved with.
	approval = "SandboxApproves"
)

// TracingGroup is the group whose members' trace contexts kube-apiserver continues.
const TracingGroup = "system:monitoring"

// Client is a user of the API server.
type Client struct {
	User string
	// Groups are those of the certificate. Their order means nothing; system:authenticated comes by itself.
	Groups []string
}

// TracedAccount is a ServiceAccount in [TracingGroup]: to whoever grants it rights, the same as by its token.
func TracedAccount(namespace, account string) Client {
	const group = "system:serviceaccounts"
	return Client{User: "system:serviceaccount:" + namespace + ":" + account, Groups: []string{TracingGroup, group, group + ":" + namespace}}
}

// ClientPair is a client's certificate with its key, in files.
type ClientPair struct {
	CertFile, KeyFile string
	// Fingerprint is the certificate's SHA-256, in hexadecimal digits.
	Fingerprint string
	// Expires is the end of the certificate's validity.
	Expires time.Time
}

// Certificate makes sure that the files base.crt and base.key are a certificate and key by which the API server takes one for that
// client. It asks the cluster for a new one, by its CertificateSigningRequest API and with a key that never leaves this machine,
// where a file is missing or of no use, where less than half of the certificate's week is left, where it is another client's and
// where the API server does not accept it. The Issuer's user must be allowed to approve such requests, and to delete them: none
// stays. Both files are for their owner alone. One base may have one caller at a time. Errors name the user and never hold a key.
func (i *Issuer) Certificate(ctx context.Context, base string, client Client) (ClientPair, error) {
	pair := ClientPair{CertFile: base + ".crt", KeyFile: base + ".key"}
	leaf, certificate, key, err := i.loadPair(pair, client)
	if err == nil {
		if err = i.acceptedPair(ctx, certificate, key, client); err != nil && !errors.Is(err, errRejected) {
			return pair, fmt.Errorf("checking the certificate of %s: %w", client.User, err)
		}
	}
	if err != nil {
		if leaf, err = i.renewPair(ctx, pair, client); err != nil {
			return pair, err
		}
	}
	sum := sha256.Sum256(leaf.Raw)
	pair.Fingerprint, pair.Expires = hex.EncodeToString(sum[:]), leaf.NotAfter
	return pair, nil
}

// renewPair asks for a certificate and keeps it, the key first: loadPair refuses two that don't belong together.
func (i *Issuer) renewPair(ctx context.Context, pair ClientPair, client Client) (*x509.Certificate, error) {
	certificate, key, err := i.requestPair(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("requesting a certificate of %s: %w", client.User, err)
	}
	both, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate of %s that the cluster signed: %w", client.User, err)
	}
	if err := i.acceptedPair(ctx, certificate, key, client); err != nil {
		return nil, fmt.Errorf("checking the new certificate of %s: %w", client.User, err)
	}
	err = pki.WriteFile(pair.KeyFile, key, private)
	if err == nil {
		err = pki.WriteFile(pair.CertFile, certificate, private)
	}
	if err != nil {
		return nil, fmt.Errorf("keeping the certificate of %s: %w", client.User, err)
	}
	return both.Leaf, nil
}

// loadPair reads certificate and key, and refuses those that are of no use any more.
func (i *Issuer) loadPair(pair ClientPair, client Client) (leaf *x509.Certificate, certificate, key []byte, err error) {
	if certificate, err = pki.ReadPrivate(pair.CertFile); err != nil {
		return nil, nil, nil, err
	}
	if key, err = pki.ReadPrivate(pair.KeyFile); err != nil {
		return nil, nil, nil, err
	}
	both, err := tls.X509KeyPair(certificate, key) // It compares the two as well.
	if err != nil {
		return nil, nil, nil, err
	}
	leaf, now := both.Leaf, i.now()
	if now.Before(leaf.NotBefore) || leaf.NotAfter.Sub(now) < certificateRenewal {
		return nil, nil, nil, fmt.Errorf("it is valid from %s to %s", leaf.NotBefore, leaf.NotAfter)
	}
	if leaf.Subject.CommonName != client.User || !sameGroups(leaf.Subject.Organization, client.Groups) {
		return nil, nil, nil, fmt.Errorf("it is that of %s", leaf.Subject)
	}
	return leaf, certificate, key, nil
}

// requestPair has the cluster sign a new key, and leaves no request behind.
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
			ExpirationSeconds: ptr.To(int32(certificateLife / time.Second)),
			Usages:            []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		// Also when ctx has ended. The cluster deletes it in an hour if this fails.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), acceptTimeout)
		defer cancel()
		deleted := requests.Delete(ctx, made.Name, metav1.DeleteOptions{})
		if err == nil && deleted != nil && !apierrors.IsNotFound(deleted) {
			err = deleted
		}
	}()
	approved := made.DeepCopy()
	approved.Status.Conditions = append(approved.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: approval, Message: "the sandbox asked for it",
	})
	if _, err := requests.UpdateApproval(ctx, made.Name, approved, metav1.UpdateOptions{}); err != nil {
		return nil, nil, fmt.Errorf("approving it: %w", err)
	}
	if certificate, err = csr.WaitForCertificate(ctx, i.admin, made.Name, made.UID); err != nil {
		return nil, nil, fmt.Errorf("waiting for kube-controller-manager to sign it: %w", err)
	}
	return certificate, keyPEM, nil
}

// acceptedPair asks the API server, as the client, who that is. The error is errRejected where it is not that one.
func (i *Issuer) acceptedPair(ctx context.Context, certificate, key []byte, client Client) error {
	config := rest.AnonymousClientConfig(i.config)
	config.CertData, config.KeyData = certificate, key
	own, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	review, err := own.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if apierrors.IsUnauthorized(err) {
		return errRejected
	}
	if err != nil {
		return err
	}
	user := review.Status.UserInfo
	groups := append(slices.Clone(client.Groups), "system:authenticated")
	if user.Username != client.User || !sameGroups(user.Groups, groups) {
		return fmt.Errorf("%w as that of %s in %q, but as that of %s in %q", errRejected, client.User, groups, user.Username, user.Groups)
	}
	return nil
}

func sameGroups(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
