package seal

import (
	"crypto/x509"
	"fmt"
	"time"
)

// maxBelow is the most authorities between an anchor and a signer. Country
// signing authorities have none, or one that links their old key to the new.
const maxBelow = 3

// path is the way from a signer to an anchor: its issuer first, the anchor
// last. It is empty for a certificate that is trusted itself.
type path []*certificate

// signer is a certificate that seals can be checked against.
type signer struct {
	*certificate
	paths []path // none: it leads to no anchor
	weak  error  // why its key is not used
}

// newSigner finds all ways to an anchor. Whether their certificates are in
// their time is asked at each check, since a Trust is loaded once.
func (t *Trust) newSigner(c *certificate) *signer {
	s := &signer{certificate: c, weak: c.usable(t.options)}
	switch {
	case t.options.Pin:
		s.paths = []path{{}}
	case len(c.UnhandledCriticalExtensions) > 0:
		// It may limit what the key is for in a way not understood here.
	case c.anchor():
		s.paths = []path{{}}
	default:
		t.climb(s, nil, c)
	}
	return s
}

// anchor is true for a signer without an authority, put into the folder by the
// operator's own hand.
func (c *certificate) anchor() bool { return !c.authority() && c.selfIssued() }

func (t *Trust) climb(s *signer, way path, c *certificate) {
	for _, a := range t.authorities[string(c.RawIssuer)] {
		if !a.mayIssue(len(way)) || !a.signed(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) {
			continue
		}
		longer := append(way[:len(way):len(way)], a.certificate)
		switch {
		case a.root:
			s.paths = append(s.paths, longer)
		case len(longer) <= maxBelow: // a circle ends here too
			t.climb(s, longer, a.certificate)
		}
	}
}

// issuer is a certificate that may have issued others.
type issuer struct {
	*certificate
	root bool // signed by itself: an anchor
}

// mayIssue holds an authority to the limits it states itself (RFC 5280 §6.1).
// One with limits that are not understood here, such as name constraints,
// issues nothing.
func (c *certificate) mayIssue(below int) bool {
	limited := c.MaxPathLen > 0 || c.MaxPathLenZero
	constrained := len(c.PermittedDNSDomains)+len(c.ExcludedDNSDomains)+
		len(c.PermittedIPRanges)+len(c.ExcludedIPRanges)+
		len(c.PermittedEmailAddresses)+len(c.ExcludedEmailAddresses)+
		len(c.PermittedURIDomains)+len(c.ExcludedURIDomains) > 0
	return c.authority() && !constrained && len(c.UnhandledCriticalExtensions) == 0 &&
		(c.KeyUsage == 0 || c.KeyUsage&x509.KeyUsageCertSign != 0) &&
		(!limited || below <= c.MaxPathLen)
}

// The order in which a check can fail; of several certificates, the one that
// came furthest gives the reason.
const (
	stepTrust = iota
	stepRevoked
	stepTime
	stepDate
	stepSignature
	stepDone
)

// standing judges the certificate alone at a time: curve, chain, revocation,
// validity, in this order, so that a foreign issuer is reported before an
// expired certificate and a revoked one as what it is even when expired.
func (t *Trust) standing(s *signer, at time.Time) (Result, int) {
	if s.weak != nil {
		return Result{UntrustedCertificate, s.weak}, stepTrust
	}
	if len(s.paths) == 0 {
		return Result{UntrustedCertificate, ErrChain}, stepTrust
	}
	if t.revoked(s.certificate) {
		return Result{RevokedCertificate, ErrRevoked}, stepRevoked
	}
	var last Result
	for _, way := range s.paths {
		if last = t.wayOpen(s.certificate, way, at); last.Valid() {
			break
		}
	}
	switch {
	case last.Code == RevokedCertificate:
		return last, stepRevoked
	case last.Code == UntrustedCertificate:
		return last, stepTrust
	case !last.Valid():
		return last, stepTime
	case at.Before(s.NotBefore) || at.After(s.NotAfter):
		return Result{ExpiredCertificate, ErrCertificateTime}, stepTime
	}
	return last, stepTime
}

// wayOpen judges the issuers of one path. Their time is asked at a moment at
// which the certificate itself is valid, so that an expired certificate is not
// reported as one with an expired issuer.
func (t *Trust) wayOpen(c *certificate, way path, at time.Time) Result {
	when := at
	if when.Before(c.NotBefore) {
		when = c.NotBefore
	}
	if when.After(c.NotAfter) {
		when = c.NotAfter
	}
	child := c
	for i, a := range way {
		if err := t.listInOrder(child, at); err != nil {
			return Result{UntrustedCertificate, err}
		}
		if i < len(way)-1 && t.revoked(a) {
			return Result{RevokedCertificate, fmt.Errorf("%w: issuer", ErrRevoked)}
		}
		if when.Before(a.NotBefore) || when.After(a.NotAfter) {
			return Result{ExpiredCertificate, fmt.Errorf("%w: issuer", ErrCertificateTime)}
		}
		child = a
	}
	return Result{Code: Valid}
}
