package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"time"
)

const (
	day = 24 * time.Hour
	// authorityLife is how long a CA lasts.
	authorityLife = 10 * 365 * day
	// authorityRenewal is how much of it must be left, which is more than a certificate lasts: none outlives its CA.
	authorityRenewal = certificateLife + 30*day
	// backdate is how far before now validity begins, so that a clock which is set back a little does no harm.
	backdate = 5 * time.Minute
)

// Authority is a certificate authority of a [Store]. Its Leaf is the CA's own certificate.
type Authority struct {
	Pair

	store Store
}

// Authority makes sure of a CA whose files and common name are name, and reports whether it made it anew: because it was missing
// or unreadable, certificate and key don't belong together, it isn't a CA of that name, it is not valid yet (the clock was
// set back), or less than 13 months of its 10 years are left. Certificates of the old CA are then made anew by
// [Authority.Certificate].
func (s Store) Authority(name string) (*Authority, bool, error) {
	if err := s.open(name); err != nil {
		return nil, false, fmt.Errorf("opening certificate authority %s: %w", name, err)
	}
	if pair, err := s.load(name); err == nil && isAuthority(pair.Leaf, name) && inTime(pair.Leaf, s.now(), authorityRenewal) {
		return &Authority{Pair: *pair, store: s}, false, nil
	}
	pair, err := s.newAuthority(name)
	if err != nil {
		return nil, false, fmt.Errorf("making certificate authority %s: %w", name, err)
	}
	return &Authority{Pair: *pair, store: s}, true, nil
}

func (s Store) newAuthority(name string) (*Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := s.template(pkix.Name{CommonName: name}, authorityLife)
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return s.save(name, key, der)
}

// template is what every certificate here has in common. Its serial number is left to [x509.CreateCertificate].
func (s Store) template(subject pkix.Name, life time.Duration) *x509.Certificate {
	now := s.now().UTC()
	return &x509.Certificate{
		Subject:               subject,
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(life),
		BasicConstraintsValid: true,
	}
}

// isAuthority tells whether a certificate is that of the CA called name: signed by itself, with the right to sign.
func isAuthority(c *x509.Certificate, name string) bool {
	return c.Subject.CommonName == name && c.CheckSignatureFrom(c) == nil
}

// inTime tells whether a certificate is valid now and has some time left.
func inTime(c *x509.Certificate, now time.Time, left time.Duration) bool {
	return !now.Before(c.NotBefore) && c.NotAfter.Sub(now) >= left
}
