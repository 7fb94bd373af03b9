package credentials

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// cluster is a real API server without controllers, so only the tests create ServiceAccounts.
type cluster struct {
	env    *envtest.Environment
	config *rest.Config
	admin  kubernetes.Interface
}

// TestWithAnAPIServer runs tests on a shared API server, each with its own account.
func TestWithAnAPIServer(t *testing.T) {
	c := startCluster(t)
	for name, test := range map[string]func(t *testing.T, c *cluster, account string){
		"kept":        testKept,
		"renewed":     testRenewed,
		"recreated":   testRecreated,
		"waits":       testWaits,
		"kubeconfigs": testKubeconfigs,
	} {
		t.Run(name, func(t *testing.T) { test(t, c, name) })
	}
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS is unset: run `make envtest-assets` and set it to the printed folder, or use `make test-short`")
	}
	env := &envtest.Environment{}
	config, err := env.Start()
	if err != nil {
		t.Fatalf("starting the API server: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	admin, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{env: env, config: config, admin: admin}
}

func (c *cluster) issuer(t *testing.T, offset time.Duration) *Issuer {
	t.Helper()
	issuer, err := NewIssuer(c.config)
	if err != nil {
		t.Fatal(err)
	}
	issuer.Now = func() time.Time { return time.Now().Add(offset) }
	return issuer
}

func (c *cluster) create(t *testing.T, account string) *corev1.ServiceAccount {
	t.Helper()
	sa, err := c.admin.CoreV1().ServiceAccounts("default").Create(t.Context(),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return sa
}

// userOf asks the API server for the user of a configuration.
func userOf(t *testing.T, config *rest.Config) authenticationv1.UserInfo {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return review.Status.UserInfo
}

// ensure ensures a token, checks whether that wrote the file, and returns the token.
func ensure(t *testing.T, issuer *Issuer, path, account string, want bool) string {
	t.Helper()
	changed, err := issuer.Token(t.Context(), path, "default", account)
	if err != nil {
		t.Fatal(err)
	}
	if changed != want {
		t.Errorf("Token changed the file: %t, want %t", changed, want)
	}
	checkPrivate(t, path)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func testKept(t *testing.T, c *cluster, account string) {
	sa, path := c.create(t, account), filepath.Join(t.TempDir(), "a folder", "token")
	token := ensure(t, c.issuer(t, 0), path, account, true)
	bearer := rest.AnonymousClientConfig(c.config)
	bearer.BearerToken = token
	if user := userOf(t, bearer); user.Username != "system:serviceaccount:default:kept" || user.UID != string(sa.UID) {
		t.Errorf("user of the token = %+v, want the account kept", user)
	}
	claims, err := readClaims(token)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(instant(claims.Expires)); left < tokenLife-time.Minute || left > tokenLife+time.Minute {
		t.Errorf("validity of the token = %s, want %s", left, tokenLife)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, offset := range []time.Duration{0, tokenLife - tokenRenewal - time.Hour} {
		if ensure(t, c.issuer(t, offset), path, account, false) != token {
			t.Error("Token replaced the token, want the existing one")
		}
	}
	writeFile(t, path, []byte(token+"\n")) // As an editor writes it.
	ensure(t, c.issuer(t, 0), path, account, false)
}

func testRenewed(t *testing.T, c *cluster, account string) {
	c.create(t, account)
	c.create(t, "other")
	tests := map[string]struct {
		offset time.Duration
		spoil  func(t *testing.T, token string) string
	}{
		"garbage":                    {spoil: func(*testing.T, string) string { return "garbage" }},
		"empty":                      {spoil: func(*testing.T, string) string { return "" }},
		"half a token":               {spoil: func(_ *testing.T, token string) string { return token[:len(token)/2] }},
		"another signing key":        {spoil: resign},
		"altered":                    {spoil: alter},
		"another account's":          {spoil: func(t *testing.T, _ string) string { return otherToken(t, c) }},
		"under 30 days left":         {offset: tokenLife - tokenRenewal + time.Minute},
		"over":                       {offset: tokenLife + time.Hour},
		"clock an hour back":         {offset: -time.Hour},
		"looks fine but is unsigned": {spoil: func(*testing.T, string) string { return lasting(time.Now(), time.Now().Add(tokenLife)) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "token")
			before := ensure(t, c.issuer(t, 0), path, account, true)
			if test.spoil != nil {
				before = test.spoil(t, before)
				writeFile(t, path, []byte(before))
			}
			if ensure(t, c.issuer(t, test.offset), path, account, true) == before {
				t.Error("Token kept the old token, want a new one")
			}
			ensure(t, c.issuer(t, 0), path, account, false)
		})
	}
}

func otherToken(t *testing.T, c *cluster) string {
	t.Helper()
	return ensure(t, c.issuer(t, 0), filepath.Join(t.TempDir(), "token"), "other", true)
}

// resign signs the claims of a token with another key, like the API server of another sandbox.
func resign(t *testing.T, token string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signed := token[:strings.LastIndex(token, ".")]
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// alter changes one character in the middle of the signature.
func alter(t *testing.T, token string) string {
	t.Helper()
	middle := (strings.LastIndex(token, ".") + len(token)) / 2
	other := "A"
	if token[middle] == 'A' {
		other = "B"
	}
	return token[:middle] + other + token[middle+1:]
}

func testRecreated(t *testing.T, c *cluster, account string) {
	old, path := c.create(t, account), filepath.Join(t.TempDir(), "token")
	before := ensure(t, c.issuer(t, 0), path, account, true)
	if err := c.admin.CoreV1().ServiceAccounts("default").Delete(t.Context(), account, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	sa := c.create(t, account)
	if sa.UID == old.UID {
		t.Fatal("the new account has the UID of the old one")
	}
	after := ensure(t, c.issuer(t, 0), path, account, true)
	if after == before {
		t.Error("Token kept the token of the old account, want a new one")
	}
	bearer := rest.AnonymousClientConfig(c.config)
	bearer.BearerToken = after
	if user := userOf(t, bearer); user.UID != string(sa.UID) {
		t.Errorf("UID of the token = %s, want %s", user.UID, sa.UID)
	}
	ensure(t, c.issuer(t, 0), path, account, false)
}

// testWaits creates the account while the issuer waits for it.
func testWaits(t *testing.T, c *cluster, account string) {
	issuer, path, done := c.issuer(t, 0), filepath.Join(t.TempDir(), "token"), make(chan error, 1)
	go func() {
		changed, err := issuer.Token(t.Context(), path, "default", account)
		if err == nil && !changed {
			t.Error("Token = false, want that it wrote a token")
		}
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("Token returned %v before the account existed", err)
	case <-time.After(3 * pollInterval):
	}
	c.create(t, account)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	ensure(t, issuer, path, account, false)
}

func testKubeconfigs(t *testing.T, c *cluster, account string) {
	c.create(t, account)
	dir := filepath.Join(t.TempDir(), "a folder")
	user, err := c.env.AddUser(envtest.User{Name: "user", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	certificate := user.Config()
	token := filepath.Join(dir, "token")
	ensure(t, c.issuer(t, 0), token, account, true)
	ca := writeFile(t, filepath.Join(dir, "ca.crt"), certificate.CAData)
	cert := writeFile(t, filepath.Join(dir, "c.crt"), certificate.CertData)
	key := writeFile(t, filepath.Join(dir, "c.key"), certificate.KeyData)
	server := "https://" + strings.TrimPrefix(certificate.Host, "https://")
	tests := map[string]struct {
		kubeconfig Kubeconfig
		want       string
	}{
		"files":            {Kubeconfig{CAFile: ca, CertFile: cert, KeyFile: key}, "user"},
		"data":             {Kubeconfig{CAData: certificate.CAData, CertFile: cert, KeyFile: key}, "user"},
		"inline":           {Kubeconfig{CAFile: ca, CertFile: cert, KeyFile: key, Inline: true}, "user"},
		"token":            {Kubeconfig{CAFile: ca, TokenFile: token}, "system:serviceaccount:default:kubeconfigs"},
		"token and inline": {Kubeconfig{CAFile: ca, TokenFile: token, Inline: true}, "system:serviceaccount:default:kubeconfigs"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "kubeconfig")
			test.kubeconfig.Server = server
			writeKubeconfig(t, path, test.kubeconfig, true)
			config, err := clientcmd.BuildConfigFromFlags("", path)
			if err != nil {
				t.Fatal(err)
			}
			if got := userOf(t, config); got.Username != test.want {
				t.Errorf("user of the client = %q, want %q", got.Username, test.want)
			}
			if test.kubeconfig.TokenFile != "" && config.BearerTokenFile != token {
				t.Errorf("token file of the client = %q, want %q", config.BearerTokenFile, token)
			}
		})
	}
}
