package credentials

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/file"
	"github.com/operator-tracing/sandbox/sandbox/poll"
)

const (
	// tokenLife is the requested validity of a token. The API server can shorten it.
	tokenLife = 365 * 24 * time.Hour
	// tokenRenewal is the remaining validity below which a token is renewed.
	tokenRenewal = 30 * 24 * time.Hour
	// pollInterval is the interval between checks while waiting.
	pollInterval = 100 * time.Millisecond
	// acceptTimeout is the time within which the API server must accept a new token. It reads
	// accounts from a cache, which can lag behind.
	acceptTimeout = 10 * time.Second
)

// errRejected is returned if the API server rejects a credential, or accepts it for another user.
var errRejected = errors.New("rejected by the API server")

// Issuer requests tokens and certificates. It is safe for concurrent use with different files.
type Issuer struct {
	// Now returns the current time (default [time.Now]). Set it before the first use.
	Now func() time.Time

	config *rest.Config
	admin  kubernetes.Interface
}

// NewIssuer returns an Issuer for the cluster of config. It does not change config. The user of
// config must be allowed to read ServiceAccounts and to create tokens for them.
func NewIssuer(config *rest.Config) (*Issuer, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1 // Polling must not be rate limited.
	admin, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("creating a client for tokens: %w", err)
	}
	return &Issuer{config: config, admin: admin}, nil
}

// Token ensures that the file at path contains a token that the API server accepts for the
// ServiceAccount, and reports whether it wrote a new token. It requests a new token in these cases:
// the file is missing or has no token, the token expires in less than 30 days, the token is not
// valid yet (the clock was set back), or the API server rejects it. The API server rejects a token
// if another key signed it or if the account was deleted and created again.
//
// Token waits until the account exists or ctx is done. Errors name the account and never contain a
// token.
func (i *Issuer) Token(ctx context.Context, path, namespace, account string) (changed bool, err error) {
	sa, err := i.waitForAccount(ctx, namespace, account)
	if err != nil {
		return false, err
	}
	token, err := i.load(path)
	if err == nil {
		err = i.accepted(ctx, token, sa)
		if err == nil {
			return false, nil
		}
		if !errors.Is(err, errRejected) {
			return false, fmt.Errorf("checking the token of ServiceAccount %s/%s: %w", namespace, account, err)
		}
	}
	if token, err = i.request(ctx, sa); err != nil {
		return false, fmt.Errorf("requesting a token of ServiceAccount %s/%s: %w", namespace, account, err)
	}
	if err := file.Write(path, []byte(token), private); err != nil {
		return false, fmt.Errorf("writing the token of ServiceAccount %s/%s: %w", namespace, account, err)
	}
	return true, nil
}

// load reads a token. It returns an error if the token is not valid yet or must be renewed.
func (i *Issuer) load(path string) (string, error) {
	data, err := file.ReadPrivate(path)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(data))
	c, err := readClaims(token)
	if err != nil {
		return "", err
	}
	return token, c.inTime(i.now())
}

func (i *Issuer) waitForAccount(ctx context.Context, namespace, account string) (sa *corev1.ServiceAccount, err error) {
	err = poll.Until(ctx, pollInterval, func(ctx context.Context) (err error) {
		sa, err = i.admin.CoreV1().ServiceAccounts(namespace).Get(ctx, account, metav1.GetOptions{})
		return err
	}, apierrors.IsNotFound)
	if err != nil {
		return nil, fmt.Errorf("waiting for ServiceAccount %s/%s: %w", namespace, account, err)
	}
	return sa, nil
}

// request requests a token and waits until the API server accepts it.
func (i *Issuer) request(ctx context.Context, sa *corev1.ServiceAccount) (string, error) {
	response, err := i.admin.CoreV1().ServiceAccounts(sa.Namespace).CreateToken(ctx, sa.Name, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(tokenLife / time.Second))},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, acceptTimeout)
	defer cancel()
	token := response.Status.Token
	return token, poll.Until(ctx, pollInterval, func(ctx context.Context) error { return i.accepted(ctx, token, sa) },
		func(err error) bool { return errors.Is(err, errRejected) })
}

// accepted asks the API server for the user of token. It returns an error that wraps errRejected if
// the user is not sa.
func (i *Issuer) accepted(ctx context.Context, token string, sa *corev1.ServiceAccount) error {
	config := rest.AnonymousClientConfig(i.config)
	config.BearerToken = token
	user, err := reviewed(ctx, config)
	if err != nil {
		return err
	}
	if name := "system:serviceaccount:" + sa.Namespace + ":" + sa.Name; user.Username != name || user.UID != string(sa.UID) {
		return fmt.Errorf("%w: got user %q with UID %q, want %q with UID %q", errRejected, user.Username, user.UID, name, sa.UID)
	}
	return nil
}

func (i *Issuer) now() time.Time {
	if i.Now == nil {
		return time.Now()
	}
	return i.Now()
}
