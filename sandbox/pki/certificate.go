package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"slices"
)

const (
	// certificateLife is how long a certificate lasts.
	certificateLife = 365 * day
	// certificateRenewal is how much of it must be left.
	certificateRenewal = 30 * day
)

// Request says which certificate is wanted.
type Request struct {
	// Name is the files'.
	Name string
	// CommonName is the subject's: to Kubernetes and etcd, the user.
	CommonName string
	// Organizations are the subject's: to Kubernetes, the user's groups. Their order means nothing.
	Organizations []string
	// Hosts are the DNS names and IP addresses of a server. Their order means nothing.
	Hosts []string
	// Client and Server say what the certificate is for; at least one must be set, and a server must have Hosts.
	Client, Server bool
}

func (r Request) check() error {
	switch {
	case r.CommonName == "":
		return errors.New("no common name")
	case !r.Client && !r.Server:
		return errors.New("for neither a client nor a server")
	case r.Server && len(r.Hosts) == 0:
		return errors.New("a server without hosts")
	}
	return nil
}

// Certificate makes sure of a certificate of this CA, and reports whether it made it anew: because it was missing or
// unreadable, certificate and key don't belong together, another CA signed it, its subject, hosts or usages are not those of the
// request, it is not valid yet (the clock was set back), or less than 30 days of its year are left.
func (a *Authority) Certificate(r Request) (*Pair, bool, error) {
	if err := r.check(); err != nil {
		return nil, false, fmt.Errorf("making certificate %s: %w", r.Name, err)
	}
	if err := a.store.open(r.Name); err != nil {
		return nil, false, fmt.Errorf("opening certificate %s: %w", r.Name, err)
	}
	if r.Name == a.Leaf.Subject.CommonName {
		return nil, false, fmt.Errorf("making certificate %s: its files would be those of its certificate authority", r.Name)
	}
	pair, err := a.store.load(r.Name)
	if err == nil && r.matches(pair.Leaf) && a.signed(pair.Leaf) && inTime(pair.Leaf, a.store.now(), certificateRenewal) {
		return pair, false, nil
	}
	pair, err = a.issue(r)
	if err != nil {
		return nil, false, fmt.Errorf("making certificate %s: %w", r.Name, err)
	}
	return pair, true, nil
}

func (a *Authority) issue(r Request) (*Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := a.store.template(pkix.Name{CommonName: r.CommonName, Organization: r.Organizations}, certificateLife)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = r.usages()
	template.DNSNames, template.IPAddresses = r.hosts()
	der, err := x509.CreateCertificate(rand.Reader, template, a.Leaf, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	return a.store.save(r.Name, key, der)
}

// signed tells whether a certificate is this CA's. Its name would not do: a CA that was made anew has the same.
func (a *Authority) signed(c *x509.Certificate) bool { return c.CheckSignatureFrom(a.Leaf) == nil }

// matches tells whether a certificate is for what the request wants, no less and no more.
func (r Request) matches(c *x509.Certificate) bool {
	names, addresses := r.hosts()
	return c.Subject.CommonName == r.CommonName &&
		same(c.Subject.Organization, r.Organizations) &&
		same(c.DNSNames, names) &&
		same(texts(c.IPAddresses), texts(addresses)) &&
		slices.Equal(c.ExtKeyUsage, r.usages())
}

func (r Request) usages() []x509.ExtKeyUsage {
	var usages []x509.ExtKeyUsage
	if r.Client {
		usages = append(usages, x509.ExtKeyUsageClientAuth)
	}
	if r.Server {
		usages = append(usages, x509.ExtKeyUsageServerAuth)
	}
	return usages
}

func (r Request) hosts() (names []string, addresses []net.IP) {
	for _, host := range r.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			addresses = append(addresses, ip)
		} else {
			names = append(names, host)
		}
	}
	return names, addresses
}

func texts(addresses []net.IP) []string {
	out := make([]string, 0, len(addresses))
	for _, ip := range addresses {
		out = append(out, ip.String()) // An address of IPv4 has two lengths, but one text.
	}
	return out
}

// same compares without regard to order: that of a subject's organizations is lost in the certificate.
func same(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
