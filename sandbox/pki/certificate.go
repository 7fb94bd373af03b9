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
	// certificateLife is the validity of a certificate.
	certificateLife = 365 * day
	// certificateRenewal is the remaining validity below which a certificate is renewed.
	certificateRenewal = 30 * day
)

// Request describes a certificate.
type Request struct {
	// Name is the name of the files.
	Name string
	// CommonName is the common name of the subject: the user in Kubernetes and etcd.
	CommonName string
	// Organizations are the organizations of the subject: the user's groups in Kubernetes. Their
	// order is not significant.
	Organizations []string
	// Hosts are the DNS names and IP addresses of a server. Their order is not significant.
	Hosts []string
	// Client and Server are the usages of the certificate. At least one must be set, and a server
	// must have Hosts.
	Client, Server bool
}

func (r Request) check() error {
	switch {
	case r.CommonName == "":
		return errors.New("common name is empty")
	case !r.Client && !r.Server:
		return errors.New("usage is neither client nor server")
	case r.Server && len(r.Hosts) == 0:
		return errors.New("server has no hosts")
	}
	return nil
}

// Certificate ensures a certificate signed by this CA, and reports whether it created a new one. It
// creates one if the files are missing or unreadable, if certificate and key do not match, if
// another CA signed the certificate, or if its subject, hosts or usages differ from the request. It
// also creates one if the certificate is not valid yet (the clock was set back) or expires in less
// than 30 days.
func (a *Authority) Certificate(r Request) (*Pair, bool, error) {
	if err := r.check(); err != nil {
		return nil, false, fmt.Errorf("creating certificate %s: %w", r.Name, err)
	}
	if err := a.store.open(r.Name); err != nil {
		return nil, false, fmt.Errorf("opening certificate %s: %w", r.Name, err)
	}
	if r.Name == a.Leaf.Subject.CommonName {
		return nil, false, fmt.Errorf("creating certificate %s: its certificate authority has the same file name", r.Name)
	}
	pair, err := LoadPair(a.store.file(r.Name))
	if err == nil && r.matches(pair.Leaf) && a.signed(pair.Leaf) && inTime(pair.Leaf, a.store.now(), certificateRenewal) {
		return pair, false, nil
	}
	pair, err = a.issue(r)
	if err != nil {
		return nil, false, fmt.Errorf("creating certificate %s: %w", r.Name, err)
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

// signed reports whether this CA signed a certificate. It verifies the signature, because a
// replaced CA has the same name.
func (a *Authority) signed(c *x509.Certificate) bool { return c.CheckSignatureFrom(a.Leaf) == nil }

// matches reports whether a certificate has exactly the subject, hosts and usages of the request.
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
		out = append(out, ip.String()) // An IPv4 address can be 4 or 16 bytes long, but its text is unique.
	}
	return out
}

// same compares two sets. The certificate does not preserve the order of the subject's
// organizations.
func same(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
