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
	// authorityLife is the validity of a CA.
	authorityLife = 10 * 365 * day
	// authorityRenewal is the remaining validity below which a CA is replaced. It is longer than
	// the validity of a certificate, so that no certificate outlives its CA.
	authorityRenewal = certificateLife + 30*day
	// backdate is the time between the start of validity and now. It tolerates a clock that is set
	// back slightly.
	backdate = 5 * time.Minute
)

// Authority is a certificate authority in a [Store]. Its Leaf is the certificate of the CA.
type Authority struct {
	Pair

	store Store
}

// Authority ensures a CA with the file name and common name name, and reports whether it created a
// new one. It creates one if the files are missing or unreadable, if certificate and key do not
// match, or if the certificate is not a CA with that name. It also creates one if the certificate
// is not valid yet (the clock was set back) or expires in less than 13 months.
// [Authority.Certificate] then replaces the certificates of the old CA.
func (s Store) Authority(name string) (*Authority, bool, error) {
	if err := s.open(name); err != nil {
		return nil, false, fmt.Errorf("opening certificate authority %s: %w", name, err)
	}
	if pair, err := LoadPair(s.file(name)); err == nil && isAuthority(pair.Leaf, name) && inTime(pair.Leaf, s.now(), authorityRenewal) {
		return &Authority{Pair: *pair, store: s}, false, nil
	}
	pair, err := s.newAuthority(name)
	if err != nil {
		return nil, false, fmt.Errorf("creating certificate authority %s: %w", name, err)
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

// template returns the common fields of all certificates. [x509.CreateCertificate] chooses the
// serial number.
func (s Store) template(subject pkix.Name, life time.Duration) *x509.Certificate {
	now := s.now().UTC()
	return &x509.Certificate{
		Subject:               subject,
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(life),
		BasicConstraintsValid: true,
	}
}

// isAuthority reports whether a certificate is a self-signed CA certificate with the common name
// name.
func isAuthority(c *x509.Certificate, name string) bool {
	return c.Subject.CommonName == name && c.CheckSignatureFrom(c) == nil
}

func inTime(c *x509.Certificate, now time.Time, left time.Duration) bool {
	return !now.Before(c.NotBefore) && c.NotAfter.Sub(now) >= left
}
