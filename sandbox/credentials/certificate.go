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

// ClientPair is the certificate and key of a client, in files.
type ClientPair struct {
	CertFile, KeyFile string
	// Fingerprint is the SHA-256 hash of the certificate, in hexadecimal digits.
	Fingerprint string
}

// Certificate ensures that the files base.crt and base.key are a certificate and key that the API
// server accepts for the client. It requests a new certificate if a file is missing or invalid, if
// less than half of the validity of one week remains, if the certificate belongs to another client,
// or if the API server rejects it. It uses the CertificateSigningRequest API with a key that never
// leaves this machine, and deletes the request afterwards. The user of the Issuer must be allowed
// to approve and delete such requests. Only the owner can read the files. A base must not have
// concurrent callers. Errors name the user and never contain a key.
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
	pair.Fingerprint = hex.EncodeToString(sum[:])
	return pair, nil
}

// renewPair requests a certificate and writes it, the key first. If the process is killed between
// the two, the files do not match, and loadPair returns an error.
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
		return nil, fmt.Errorf("writing the certificate of %s: %w", client.User, err)
	}
	return both.Leaf, nil
}

// loadPair reads a certificate and its key. It returns an error if they are not usable for the
// client.
func (i *Issuer) loadPair(pair ClientPair, client Client) (leaf *x509.Certificate, certificate, key []byte, err error) {
	if certificate, err = pki.ReadPrivate(pair.CertFile); err != nil {
		return nil, nil, nil, err
	}
	if key, err = pki.ReadPrivate(pair.KeyFile); err != nil {
		return nil, nil, nil, err
	}
	both, err := tls.X509KeyPair(certificate, key) // Returns an error if they do not match.
	if err != nil {
		return nil, nil, nil, err
	}
	leaf, now := both.Leaf, i.now()
	if now.Before(leaf.NotBefore) || leaf.NotAfter.Sub(now) < certificateRenewal {
		return nil, nil, nil, fmt.Errorf("certificate is valid from %s to %s", leaf.NotBefore, leaf.NotAfter)
	}
	if leaf.Subject.CommonName != client.User || !sameGroups(leaf.Subject.Organization, client.Groups) {
		return nil, nil, nil, fmt.Errorf("certificate belongs to %s", leaf.Subject)
	}
	return leaf, certificate, key, nil
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
			ExpirationSeconds: ptr.To(int32(certificateLife / time.Second)),
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
		return fmt.Errorf("%w: got user %q in groups %q, want %q in groups %q", errRejected, user.Username, user.Groups, client.User, groups)
	}
	return nil
}

func sameGroups(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
