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
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/operator-tracing/sandbox/sandbox/pki"
)

const (
	// tokenLife is how long a token lasts, if the API server does not shorten it.
	tokenLife = 365 * 24 * time.Hour
	// tokenRenewal is how much of it must be left.
	tokenRenewal = 30 * 24 * time.Hour
	// pollInterval is how often something that is waited for is looked at.
	pollInterval = 100 * time.Millisecond
	// acceptTimeout is how long the API server may take to accept a token that it just made: it reads the accounts from a cache.
	acceptTimeout = 10 * time.Second
)

// errRejected says that the API server does not take a token, or takes it for another account's.
var errRejected = errors.New("the API server does not accept it")

// Issuer makes tokens of ServiceAccounts. It may be used by several goroutines at once, for different files.
type Issuer struct {
	// Now tells the time; nil is [time.Now]. Set it before the first use.
	Now func() time.Time

	config *rest.Config
	admin  kubernetes.Interface
}

// NewIssuer returns an Issuer for the cluster that config, which is not changed, is of. Its user must be allowed to read
// ServiceAccounts and to make tokens of them.
func NewIssuer(config *rest.Config) (*Issuer, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1 // A poll must not wait for its turn.
	admin, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client for tokens: %w", err)
	}
	return &Issuer{config: config, admin: admin}, nil
}

// Token makes sure that the file at path has a token which the API server takes for that ServiceAccount, and reports whether it
// wrote one. It does where the file is missing or has no token, where less than 30 days of the token's year are left or it is
// not valid yet (the clock was set back), and where the API server does not accept it, because another key signed it or
// the account was made anew.
//
// It waits until the account exists, for as long as ctx lasts. Errors name the account and never hold a token.
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
	if err := pki.WriteFile(path, []byte(token), private); err != nil {
		return false, fmt.Errorf("keeping the token of ServiceAccount %s/%s: %w", namespace, account, err)
	}
	return true, nil
}

// load reads a token, and refuses one whose time is over or has not come.
func (i *Issuer) load(path string) (string, error) {
	data, err := pki.ReadPrivate(path)
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

func (i *Issuer) waitForAccount(ctx context.Context, namespace, account string) (*corev1.ServiceAccount, error) {
	var sa *corev1.ServiceAccount
	var last error
	err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		found, err := i.admin.CoreV1().ServiceAccounts(namespace).Get(ctx, account, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			last = err
			return false, nil
		}
		sa = found
		return err == nil, err
	})
	if err != nil && last != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", err, last)
	}
	if err != nil {
		return nil, fmt.Errorf("waiting for ServiceAccount %s/%s: %w", namespace, account, err)
	}
	return sa, nil
}

// request asks for a token and waits until the API server accepts it.
func (i *Issuer) request(ctx context.Context, sa *corev1.ServiceAccount) (string, error) {
	answer, err := i.admin.CoreV1().ServiceAccounts(sa.Namespace).CreateToken(ctx, sa.Name, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To(int64(tokenLife / time.Second))},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	token := answer.Status.Token
	var last error
	err = wait.PollUntilContextTimeout(ctx, pollInterval, acceptTimeout, true, func(ctx context.Context) (bool, error) {
		err := i.accepted(ctx, token, sa)
		if errors.Is(err, errRejected) {
			last = err
			return false, nil
		}
		return err == nil, err
	})
	if err != nil && last != nil { // Also where the last attempt ended with the context.
		err = fmt.Errorf("%w: %w", err, last)
	}
	return token, err
}

// accepted asks the API server, as the bearer of token, who that is. The error is errRejected where it is not sa.
func (i *Issuer) accepted(ctx context.Context, token string, sa *corev1.ServiceAccount) error {
	config := rest.AnonymousClientConfig(i.config)
	config.BearerToken = token
	bearer, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	review, err := bearer.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if apierrors.IsUnauthorized(err) {
		return errRejected
	}
	if err != nil {
		return err
	}
	user := review.Status.UserInfo
	if name := "system:serviceaccount:" + sa.Namespace + ":" + sa.Name; user.Username != name || user.UID != string(sa.UID) {
		return fmt.Errorf("%w as that of %s with UID %s, but as that of %s with UID %q", errRejected, name, sa.UID, user.Username, user.UID)
	}
	return nil
}

func (i *Issuer) now() time.Time {
	if i.Now == nil {
		return time.Now()
	}
	return i.Now()
}
