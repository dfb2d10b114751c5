package link

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"time"

	"bordergate/sync/vault"
)

// hint is the cure for what ended a connection, in the words of somebody who
// stands at the gate.
func hint(err error, now time.Time) string {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		header  tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, vault.ErrNoCertificate):
		return told["tls: certificate required"]
	case errors.Is(err, vault.ErrCertificate), errors.Is(err, vault.ErrPermissions), errors.Is(err, vault.ErrIdentity):
		return "put that right; the gate connects by itself"
	case errors.As(err, &header):
		return "there is no TLS at this address: correct scheme and port in hq.broker"
	case errors.As(err, &name):
		return "headquarters' certificate does not name this address: write it as hqd's names have it into hq.broker, or have it added to names in hq.yaml"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return outOfTime(invalid.Cert, now)
	case errors.As(err, &unknown), errors.As(err, &invalid):
		return "the certificate is not of the authority that hq.json vouches for: get headquarters' newest hq.json, and check that hq.broker leads to headquarters"
	}
	for text, cure := range told {
		if strings.Contains(err.Error(), text) {
			return cure
		}
	}
	return "check that headquarters' broker is up, the cable, and scheme, name and port in hq.broker"
}

// outOfTime tells a wrong clock from an old certificate, as far as one can.
func outOfTime(c *x509.Certificate, now time.Time) string {
	clock := "this machine's clock says " + now.UTC().Format("2006-01-02 15:04 UTC")
	if now.Before(c.NotBefore) {
		return "the certificate begins on " + c.NotBefore.UTC().Format(time.DateOnly) + " and " + clock + ": set the clock"
	}
	cure := "have hqd gate renew sign the gate's certificate again and install it with gatectl identity install"
	for _, use := range c.ExtKeyUsage {
		if use == x509.ExtKeyUsageServerAuth {
			cure = "headquarters has to make its broker's certificate anew"
		}
	}
	return "the certificate ended on " + c.NotAfter.UTC().Format(time.DateOnly) + " and " + clock + ": set the clock if it is wrong, else " + cure
}

// told is what the other end says in a TLS alert (RFC 8446 §6.2) or in MQTT's
// answer to a connection, and what it means at a gate.
var told = map[string]string{
	"tls: certificate required":           "headquarters wants a certificate: get it with hqd gate add, and put it in place with gatectl identity install",
	"tls: bad certificate":                "headquarters does not take the gate's certificate: have it signed anew with hqd gate renew",
	"tls: expired certificate":            "headquarters finds the gate's certificate out of time: have it signed anew with hqd gate renew, and check the clocks at both ends",
	"tls: unknown certificate authority":  "the gate's certificate is of another headquarters: register the gate's request with hqd gate add, and install what it gives",
	"not Authorized":                      "headquarters has retired this gate or knows it by another key: register the gate's request with hqd gate add, and install what it gives",
	"tls: protocol version not supported": "the other end has no TLS 1.3: check that hq.broker leads to headquarters",
}
