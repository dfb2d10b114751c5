package seal

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"slices"
	"time"
)

// Reasons that come from revocation lists.
var (
	// ErrRevoked: the authority took the certificate back.
	ErrRevoked = errors.New("signer certificate is revoked")
	// ErrNoList: ListsFresh asks for a list and the authority has none here.
	ErrNoList = errors.New("no revocation list of the signer's authority")
	// ErrListOld: ListsFresh asks for a list in its time and all are over it.
	ErrListOld = errors.New("revocation list of the signer's authority is old")
)

// ListPolicy says what a missing or old revocation list means. What stands on
// a list of any age is revoked under every policy.
type ListPolicy int

// The policies, laxest first.
const (
	// ListsAsFound uses the lists there are and believes signers without one:
	// the gate stays open through a long outage, and a revocation that has not
	// reached it does not bite.
	ListsAsFound ListPolicy = iota
	// ListsWhenPresent does not believe a signer whose authority has only old
	// lists here: UNTRUSTED_CERTIFICATE with ErrListOld.
	ListsWhenPresent
	// ListsFresh does not believe a signer whose authority has no list here
	// either: UNTRUSTED_CERTIFICATE with ErrNoList.
	ListsFresh
)

// listWords are the policies in the words of settings and messages.
var listWords = []string{"off", "when-present", "required"}

// String is the policy in the words of settings and messages.
func (p ListPolicy) String() string {
	if p < 0 || int(p) >= len(listWords) {
		return "invalid"
	}
	return listWords[p]
}

// ParseListPolicy reads off, when-present or required. For any other word it
// gives the strictest, and false.
func ParseListPolicy(word string) (ListPolicy, bool) {
	if i := slices.Index(listWords, word); i >= 0 {
		return ListPolicy(i), true
	}
	return ListsFresh, false
}

// list is a revocation list whose signature was found good.
type list struct {
	*x509.RevocationList
	file    string
	beside  bool // of a file that may only add revocations
	serials map[string]bool
}

// parseList reads a revocation list in DER. One that says more than this
// package understands is refused: its meaning could be another.
func parseList(raw []byte) (*list, error) {
	l, err := x509.ParseRevocationList(raw)
	if err != nil {
		return nil, err
	}
	if critical(l.Extensions) {
		return nil, errors.New("revocation list for a part of the certificates, or changes to another")
	}
	made := &list{RevocationList: l, serials: make(map[string]bool, len(l.RevokedCertificateEntries))}
	for _, e := range l.RevokedCertificateEntries {
		if critical(e.Extensions) {
			return nil, errors.New("revocation list with entries of other issuers")
		}
		made.serials[string(e.SerialNumber.Bytes())] = true
	}
	return made, nil
}

func critical(list []pkix.Extension) bool {
	return slices.ContainsFunc(list, func(e pkix.Extension) bool { return e.Critical })
}

// newer compares two lists of one authority.
func (l *list) newer(other *list) bool {
	if l.Number != nil && other.Number != nil && l.Number.Cmp(other.Number) != 0 {
		return l.Number.Cmp(other.Number) > 0
	}
	return l.ThisUpdate.After(other.ThisUpdate)
}

// addList files a list under its authority's name, if an authority of that
// name here signed it and leads to an anchor. Of the lists of one key only the
// newest stays; those of an earlier key of the authority stay beside it.
func (t *Trust) addList(l *list) error {
	for _, a := range t.authorities[string(l.RawIssuer)] {
		if a.KeyUsage != 0 && a.KeyUsage&x509.KeyUsageCRLSign == 0 || !a.authority() {
			continue
		}
		if !a.signed(l.SignatureAlgorithm, l.RawTBSRevocationList, l.Signature) {
			continue
		}
		if !a.root && len(t.newIssuer(a.certificate).paths) == 0 {
			continue
		}
		key := string(a.RawSubjectPublicKeyInfo)
		if l.beside {
			key = "beside " + key
		}
		t.keepList(string(l.RawIssuer), key, l)
		return nil
	}
	return errors.New("revocation list is not signed by an authority in this folder")
}

func (t *Trust) keepList(issuer, key string, l *list) {
	of := t.lists[issuer]
	if of == nil {
		of = map[string]*list{}
		t.lists[issuer] = of
	}
	if have := of[key]; have != nil && !l.newer(have) {
		return
	}
	of[key] = l
}

// revoked looks at all lists of the issuer's name: a new key of an authority
// signs for what its old one issued. The date of the revocation is not asked,
// for whoever has a stolen key dates as he likes.
func (t *Trust) revoked(c *certificate) bool {
	for _, l := range t.lists[string(c.RawIssuer)] {
		if l.serials[string(c.SerialNumber.Bytes())] {
			return true
		}
	}
	return false
}

// listInOrder applies the policy for missing and old lists.
func (t *Trust) listInOrder(c *certificate, at time.Time) error {
	of := t.lists[string(c.RawIssuer)]
	switch {
	case t.options.Lists == ListsAsFound, t.options.Lists == ListsWhenPresent && len(of) == 0:
		return nil
	case len(of) == 0:
		return ErrNoList
	}
	for _, l := range of {
		if !t.old(l, at) {
			return nil
		}
	}
	return ErrListOld
}

// old says that a list is over its age: that of the options, else its own.
func (t *Trust) old(l *list, at time.Time) bool {
	if t.options.ListMax > 0 && at.Sub(l.ThisUpdate) > t.options.ListMax {
		return true
	}
	if t.options.ListAge > 0 {
		return at.Sub(l.ThisUpdate) > t.options.ListAge
	}
	return !at.Before(l.NextUpdate) // a list without a next one is never fresh
}
