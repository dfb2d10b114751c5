package seal

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// Kind says what an Entry of a trust folder is for.
type Kind string

// The kinds of entries.
const (
	KindRoot      Kind = "root"      // an authority that signed itself: an anchor
	KindAuthority Kind = "authority" // issued by another authority
	KindSigner    Kind = "signer"
	KindList      Kind = "list" // revocation list
)

// Entry describes one certificate or revocation list of a trust folder, and
// how it stands at a time.
type Entry struct {
	File string
	Kind Kind
	DER  []byte
	// Anchor is true for what is trusted for standing in the folder, with
	// nothing else there to vouch for it.
	Anchor      bool
	Fingerprint [sha256.Size]byte // SHA-256 of the DER
	Subject     string            // as RFC 2253 writes it; of a list its issuer
	Curve       string            // or "RSA 4096"; empty for a list
	// Signer and CertRef are what a VDS of this certificate carries, Index what
	// an IDB does, in hex; empty where it has none.
	Signer, CertRef, Index string
	// NotBefore and NotAfter are the validity; of a list, its issue and the
	// next one's.
	NotBefore, NotAfter time.Time
	// UseFrom and UseTo limit the dates of signatures; zero where not limited.
	UseFrom, UseTo time.Time
	Number         string // of a list
	Revoked        int    // certificates on a list
	// Code and Err say how a certificate stands: VALID, UNTRUSTED, EXPIRED or
	// REVOKED. An old list is EXPIRED_CERTIFICATE with ErrListOld; what is on it
	// stays revoked.
	Code Code
	Err  error
}

// Shown is an Entry as programs print it.
type Shown struct {
	File        string `json:"file"`
	Kind        Kind   `json:"kind"`
	Subject     string `json:"subject"`
	Signer      string `json:"signer,omitempty"`
	CertRef     string `json:"cert_ref,omitempty"`
	Index       string `json:"idb_ref,omitempty"`
	Key         string `json:"key,omitempty"`
	Fingerprint string `json:"fingerprint"`
	Anchor      bool   `json:"anchor"`
	NotBefore   string `json:"not_before,omitempty"`
	NotAfter    string `json:"not_after,omitempty"`
	UseFrom     string `json:"use_from,omitempty"`
	UseTo       string `json:"use_to,omitempty"`
	Number      string `json:"number,omitempty"`
	Revoked     int    `json:"revoked,omitempty"`
	Code        Code   `json:"code"`
	Reason      string `json:"reason,omitempty"`
}

// Show gives the entry as programs print it.
func (e Entry) Show() Shown {
	moment := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	s := Shown{
		File: e.File, Kind: e.Kind, Subject: e.Subject, Signer: e.Signer, CertRef: e.CertRef, Index: e.Index,
		Key: e.Curve, Fingerprint: hex.EncodeToString(e.Fingerprint[:]), Anchor: e.Anchor,
		NotBefore: moment(e.NotBefore), NotAfter: moment(e.NotAfter),
		UseFrom: moment(e.UseFrom), UseTo: moment(e.UseTo),
		Number: e.Number, Revoked: e.Revoked, Code: e.Code,
	}
	if e.Err != nil {
		s.Reason = e.Err.Error()
	}
	return s
}

// Entries describes everything in use at a time: roots, authorities, signers,
// lists, each ordered by file.
func (t *Trust) Entries(at time.Time) []Entry {
	var roots, authorities, signers, lists []Entry
	for _, of := range t.authorities {
		for _, a := range of {
			if a.root {
				roots = append(roots, t.rootEntry(a.certificate, at))
			} else {
				authorities = append(authorities, t.entry(t.newIssuer(a.certificate), KindAuthority, at))
			}
		}
	}
	for _, s := range t.signers {
		if !s.authority() {
			signers = append(signers, t.entry(s, KindSigner, at))
		}
	}
	for _, of := range t.lists {
		for _, l := range of {
			lists = append(lists, t.listEntry(l, at))
		}
	}
	all := [][]Entry{roots, authorities, signers, lists}
	for _, list := range all {
		slices.SortFunc(list, func(a, b Entry) int {
			return slices.Compare([]string{a.File, a.Subject}, []string{b.File, b.Subject})
		})
	}
	return slices.Concat(all...)
}

// newIssuer judges an authority as a signer is judged, except for its key:
// that of an authority signs certificates.
func (t *Trust) newIssuer(c *certificate) *signer {
	s := &signer{certificate: c}
	if len(c.UnhandledCriticalExtensions) == 0 {
		t.climb(s, nil, c)
	}
	return s
}

func (t *Trust) rootEntry(c *certificate, at time.Time) Entry {
	e := describe(c, KindRoot)
	e.Code, e.Anchor = Valid, true
	switch {
	case !c.mayIssue(0):
		e.Code, e.Err = UntrustedCertificate, ErrChain
	case at.Before(c.NotBefore) || at.After(c.NotAfter):
		e.Code, e.Err = ExpiredCertificate, ErrCertificateTime
	}
	return e
}

func (t *Trust) entry(s *signer, kind Kind, at time.Time) Entry {
	e := describe(s.certificate, kind)
	for _, way := range s.paths {
		e.Anchor = e.Anchor || len(way) == 0
	}
	r, _ := t.standing(s, at)
	e.Code, e.Err = r.Code, r.Err
	return e
}

func (t *Trust) listEntry(l *list, at time.Time) Entry {
	e := Entry{
		File: l.file, Kind: KindList, DER: l.Raw, Fingerprint: sha256.Sum256(l.Raw), Subject: l.Issuer.String(),
		NotBefore: l.ThisUpdate, NotAfter: l.NextUpdate, Revoked: len(l.serials), Code: Valid,
	}
	if l.Number != nil {
		e.Number = l.Number.String()
	}
	if t.old(l, at) {
		e.Code, e.Err = ExpiredCertificate, ErrListOld
	}
	return e
}

func describe(c *certificate, kind Kind) Entry {
	e := Entry{
		File: c.file, Kind: kind, DER: c.Raw, Fingerprint: sha256.Sum256(c.Raw), Subject: c.Subject.String(), Curve: curveName(c),
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, UseFrom: c.useFrom, UseTo: c.useTo,
	}
	if kind == KindSigner {
		e.Index = fmt.Sprintf("%X", c.index())
		if name, ref, err := SignerOf(c.Certificate); err == nil {
			e.Signer, e.CertRef = name, ref
		}
	}
	return e
}

func curveName(c *certificate) string {
	if c.key != nil {
		return c.key.curve()
	}
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", key.N.BitLen())
	case *ecdsa.PublicKey:
		return key.Params().Name
	}
	return ""
}
