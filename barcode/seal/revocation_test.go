package seal

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/brainpool"
)

// revoke makes a list of the authority's that revokes the serials.
func revoke(t testing.TB, a *Authority, number int64, change func(*x509.RevocationList), serials ...int64) []byte {
	t.Helper()
	l := &x509.RevocationList{
		Number: big.NewInt(number), ThisUpdate: day(2026, 9, 1), NextUpdate: day(2026, 9, 10),
	}
	for _, s := range serials {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: big.NewInt(s), RevocationTime: day(2026, 8, 1),
		})
	}
	if change != nil {
		change(l)
	}
	raw, err := x509.CreateRevocationList(rand.Reader, l, a.CA, a.CAKey)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestRevocation puts lists beside a valid seal's certificates.
func TestRevocation(t *testing.T) {
	a, other := authority(t), authority(t)
	const signer, someone = 0x1A, 0x1B
	own := func(number int64, serials ...int64) []byte { return revoke(t, a, number, nil, serials...) }
	long := now.AddDate(1, 0, 0)
	fresh, present := TrustOptions{Lists: ListsFresh}, TrustOptions{Lists: ListsWhenPresent}
	for name, c := range map[string]struct {
		o        TrustOptions
		lists    [][]byte
		at       time.Time
		code     Code
		err      error
		warnings int
	}{
		"no list":                     {TrustOptions{}, nil, now, Valid, nil, 0},
		"someone else":                {TrustOptions{}, [][]byte{own(1, someone)}, now, Valid, nil, 0},
		"revoked":                     {TrustOptions{}, [][]byte{own(1, someone, signer)}, now, RevokedCertificate, ErrRevoked, 0},
		"revoked by an old list":      {TrustOptions{}, [][]byte{own(1, signer)}, long, RevokedCertificate, ErrRevoked, 0},
		"revoked, and expired":        {TrustOptions{}, [][]byte{own(1, signer)}, day(2032, 1, 1), RevokedCertificate, ErrRevoked, 0},
		"revoked, pinned":             {TrustOptions{Pin: true}, [][]byte{own(1, signer)}, now, RevokedCertificate, ErrRevoked, 0},
		"taken off a newer list":      {TrustOptions{}, [][]byte{own(1, signer), own(2)}, now, Valid, nil, 0},
		"newer list first":            {TrustOptions{}, [][]byte{own(2), own(1, signer)}, now, Valid, nil, 0},
		"newer by number, not name":   {TrustOptions{}, [][]byte{own(10, signer), own(9)}, now, RevokedCertificate, ErrRevoked, 0},
		"old list, as found":          {TrustOptions{}, [][]byte{own(1)}, long, Valid, nil, 0},
		"old list, fresh":             {fresh, [][]byte{own(1)}, long, UntrustedCertificate, ErrListOld, 0},
		"old list, when present":      {present, [][]byte{own(1)}, long, UntrustedCertificate, ErrListOld, 0},
		"no list, when present":       {present, nil, long, Valid, nil, 0},
		"fresh list, when present":    {present, [][]byte{own(1)}, now, Valid, nil, 0},
		"over the greatest age":       {TrustOptions{Lists: ListsWhenPresent, ListMax: time.Hour}, [][]byte{own(1)}, now, UntrustedCertificate, ErrListOld, 0},
		"within the greatest age":     {TrustOptions{Lists: ListsWhenPresent, ListMax: 1000 * time.Hour}, [][]byte{own(1)}, now, Valid, nil, 0},
		"greatest age, and its own":   {TrustOptions{Lists: ListsWhenPresent, ListMax: 1000 * time.Hour}, [][]byte{own(1)}, day(2026, 9, 11), UntrustedCertificate, ErrListOld, 0},
		"no list, fresh":              {fresh, nil, now, UntrustedCertificate, ErrNoList, 0},
		"fresh list":                  {fresh, [][]byte{own(1)}, now, Valid, nil, 0},
		"revoked, fresh":              {fresh, [][]byte{own(1, signer)}, now, RevokedCertificate, ErrRevoked, 0},
		"own age, within":             {TrustOptions{Lists: ListsFresh, ListAge: 1000 * time.Hour}, [][]byte{own(1)}, day(2026, 9, 20), Valid, nil, 0},
		"own age, over":               {TrustOptions{Lists: ListsFresh, ListAge: time.Hour}, [][]byte{own(1)}, now, UntrustedCertificate, ErrListOld, 0},
		"of a stranger":               {TrustOptions{}, [][]byte{revoke(t, other, 1, nil, signer)}, now, Valid, nil, 1},
		"a stranger's is not a fresh": {fresh, [][]byte{revoke(t, other, 1, nil)}, now, UntrustedCertificate, ErrNoList, 1},
		"partial": {TrustOptions{}, [][]byte{revoke(t, a, 1, func(l *x509.RevocationList) {
			l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 0}}}
		}, signer)}, now, Valid, nil, 1},
		"other issuers' entries": {TrustOptions{}, [][]byte{revoke(t, a, 1, func(l *x509.RevocationList) {
			l.RevokedCertificateEntries[0].ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{0x30, 0}}}
		}, signer)}, now, Valid, nil, 1},
		"changed":   {TrustOptions{}, [][]byte{flip(own(1, signer), -3)}, now, Valid, nil, 1},
		"truncated": {TrustOptions{}, [][]byte{own(1, signer)[:60]}, now, Valid, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string][]byte{"z-ca.der": a.CA.Raw, "signer.der": a.Signer.Raw}
			for i, l := range c.lists {
				files["list"+string(rune('a'+i))+".crl"] = l
			}
			trust := trustOf(t, c.o, files)
			got := trust.Verify(parsed(t, made(t, a)), c.at)
			if got.Code != c.code || !errors.Is(got.Err, c.err) || len(trust.Warnings()) != c.warnings {
				t.Errorf("%s %v, want %s %v; warnings %q", got.Code, got.Err, c.code, c.err, trust.Warnings())
			}
		})
	}
}

// TestListsBeside: files that only add lists revoke, and bring no signer and no
// freedom.
func TestListsBeside(t *testing.T) {
	a, other := authority(t), authority(t)
	const signer = 0x1A
	own := func(number int64, serials ...int64) []byte { return revoke(t, a, number, nil, serials...) }
	ca, leaf := TrustFile{Name: "ca", Data: a.CA.Raw}, TrustFile{Name: "signer", Data: a.Signer.Raw}
	list := func(der []byte) TrustFile { return TrustFile{Name: "list", Data: der} }
	beside := func(der []byte) TrustFile { return TrustFile{Name: "beside", Data: der, ListsOnly: true} }
	fresh := TrustOptions{Lists: ListsFresh}
	long := now.AddDate(0, 1, 0)
	later := revoke(t, a, 9, func(l *x509.RevocationList) { l.NextUpdate = long.AddDate(1, 0, 0) })
	for name, c := range map[string]struct {
		o        TrustOptions
		files    []TrustFile
		at       time.Time
		code     Code
		warnings int
	}{
		"revokes":                     {TrustOptions{}, []TrustFile{ca, leaf, beside(own(1, signer))}, now, RevokedCertificate, 0},
		"revokes beside a newer list": {TrustOptions{}, []TrustFile{ca, leaf, list(own(2)), beside(own(1, signer))}, now, RevokedCertificate, 0},
		"newer, gives nothing back":   {TrustOptions{}, []TrustFile{ca, leaf, list(own(1, signer)), beside(own(2))}, now, RevokedCertificate, 0},
		"brings no signer":            {TrustOptions{}, []TrustFile{ca, beside(a.Signer.Raw)}, now, UnknownCertificate, 0},
		"brings no authority":         {TrustOptions{}, []TrustFile{beside(a.CA.Raw), leaf}, now, UntrustedCertificate, 0},
		"of a stranger":               {TrustOptions{}, []TrustFile{ca, leaf, beside(revoke(t, other, 1, nil, signer))}, now, Valid, 1},
		"of a strange authority there": {TrustOptions{}, []TrustFile{
			ca, leaf, beside(other.CA.Raw), beside(revoke(t, other, 1, nil, signer)),
		}, now, Valid, 1},
		"fresher": {fresh, []TrustFile{ca, leaf, list(own(1)), beside(later)}, long, Valid, 0},
		"junk":    {TrustOptions{}, []TrustFile{ca, leaf, beside([]byte("junk"))}, now, Valid, 1},
	} {
		t.Run(name, func(t *testing.T) {
			trust := ReadTrust(c.o, c.files...)
			if got := trust.Verify(parsed(t, made(t, a)), c.at); got.Code != c.code || len(trust.LeftOut()) != c.warnings {
				t.Errorf("%s %v, want %s; left out %v", got.Code, got.Err, c.code, trust.LeftOut())
			}
		})
	}
}

// TestTighten: options of two hands allow only what both do.
func TestTighten(t *testing.T) {
	for name, c := range map[string]struct{ of, by, want TrustOptions }{
		"nothing":         {TrustOptions{}, TrustOptions{}, TrustOptions{}},
		"curve of one":    {TrustOptions{AllowP224: true}, TrustOptions{}, TrustOptions{}},
		"curve of other":  {TrustOptions{}, TrustOptions{AllowP224: true}, TrustOptions{}},
		"curve of both":   {TrustOptions{AllowP224: true}, TrustOptions{AllowP224: true}, TrustOptions{AllowP224: true}},
		"pin of other":    {TrustOptions{}, TrustOptions{Pin: true}, TrustOptions{}},
		"stricter lists":  {TrustOptions{Lists: ListsWhenPresent}, TrustOptions{Lists: ListsFresh}, TrustOptions{Lists: ListsFresh}},
		"laxer lists":     {TrustOptions{Lists: ListsFresh}, TrustOptions{}, TrustOptions{Lists: ListsFresh}},
		"an age more":     {TrustOptions{}, TrustOptions{ListAge: 5}, TrustOptions{ListMax: 5}},
		"a longer age":    {TrustOptions{ListAge: 3}, TrustOptions{ListAge: 5}, TrustOptions{ListAge: 3, ListMax: 5}},
		"a greatest age":  {TrustOptions{ListMax: 3}, TrustOptions{ListAge: 5}, TrustOptions{ListMax: 3}},
		"a shorter great": {TrustOptions{ListMax: 5}, TrustOptions{ListAge: 3}, TrustOptions{ListMax: 3}},
	} {
		if got := c.of.Tighten(c.by); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	for _, p := range []ListPolicy{ListsAsFound, ListsWhenPresent, ListsFresh} {
		if got, ok := ParseListPolicy(p.String()); got != p || !ok {
			t.Errorf("%s reads as %s", p, got)
		}
	}
	if p, ok := ParseListPolicy("sometimes"); ok || p != ListsFresh {
		t.Errorf("an unknown word reads as %s", p)
	}
}

func flip(b []byte, at int) []byte {
	b[len(b)+at] ^= 1
	return b
}

// TestListOfTwoKeys: an authority with a new key lists what its old one issued,
// and two authorities of one name do not hide each other's lists.
func TestListOfTwoKeys(t *testing.T) {
	a, renewed := authority(t), authority(t) // the same name
	files := map[string][]byte{
		"old.der": a.CA.Raw, "new.der": renewed.CA.Raw, "signer.der": a.Signer.Raw,
		"list.pem": pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: revoke(t, renewed, 1, nil, 0x1A)}),
		"old.crl":  revoke(t, a, 2, nil),
	}
	trust := trustOf(t, TrustOptions{}, files)
	if got := trust.Verify(parsed(t, made(t, a)), now); got.Code != RevokedCertificate {
		t.Errorf("%s %v", got.Code, got.Err)
	}
	if lists := listEntries(trust); len(lists) != 2 || lists[0].Revoked+lists[1].Revoked != 1 || lists[0].Code != Valid {
		t.Errorf("lists %+v", lists)
	}
}

// TestListOfNoRoot: an authority that nothing vouches for revokes nothing,
// or anybody's certificate in the folder could close the gate.
func TestListOfNoRoot(t *testing.T) {
	a, key := authority(t), newKey(t, elliptic.P256())
	root := *a.CA
	root.MaxPathLen, root.MaxPathLenZero = -1, false
	lost := root
	lost.SerialNumber = big.NewInt(0x77)
	for name, c := range map[string]struct {
		by   *ecdsa.PrivateKey
		code Code
	}{
		"linked by the root": {a.CAKey, RevokedCertificate}, "linked by nobody known": {newKey(t, elliptic.P256()), Valid},
	} {
		link := *a
		link.CAKey = key
		var err error
		if link.CA, err = x509.ParseCertificate(certifyAny(t, &lost, &root, &key.PublicKey, c.by)); err != nil {
			t.Fatal(err)
		}
		trust := trustOf(t, TrustOptions{}, map[string][]byte{
			"root": certifyAny(t, &root, &root, &a.CAKey.PublicKey, a.CAKey), "signer": a.Signer.Raw,
			"link": link.CA.Raw, "list": revoke(t, &link, 1, nil, 0x1A),
		})
		if got := trust.Verify(parsed(t, made(t, a)), now); got.Code != c.code {
			t.Errorf("%s: %s %v %q", name, got.Code, got.Err, trust.Warnings())
		}
	}
}

func listEntries(t *Trust) []Entry {
	return slices.DeleteFunc(t.Entries(now), func(e Entry) bool { return e.Kind != KindList })
}

// TestBrainpoolList takes a list signed on a curve that crypto/x509 refuses.
func TestBrainpoolList(t *testing.T) {
	a := authority(t)
	ca, key := newKey(t, brainpool.P384r1()), newKey(t, brainpool.P256r1())
	_, algorithm := oids(t, ca.Curve)
	var shape struct {
		TBS struct {
			Version    int
			Algorithm  asn1.RawValue
			Issuer     asn1.RawValue
			This, Next time.Time
			Revoked    []pkix.RevokedCertificate `asn1:"optional"`
			Extensions []pkix.Extension          `asn1:"optional,explicit,tag:0"`
		}
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(revoke(t, a, 1, nil, 0x1A), &shape); err != nil {
		t.Fatal(err)
	}
	shape.Algorithm = asn1.RawValue{FullBytes: marshal(t, pkix.AlgorithmIdentifier{Algorithm: algorithm})}
	shape.TBS.Algorithm = shape.Algorithm
	sum := signDER(t, ca, marshal(t, shape.TBS))
	shape.Signature = asn1.BitString{Bytes: sum, BitLength: 8 * len(sum)}
	trust := trustOf(t, TrustOptions{}, map[string][]byte{
		"ca.der": certifyAny(t, a.CA, a.CA, &ca.PublicKey, ca), "signer.der": certifyAny(t, a.Signer, a.CA, &key.PublicKey, ca),
		"list.crl": marshal(t, shape),
	})
	got := trust.Verify(parsed(t, signAny(t, header(t, a), features(), key)), now)
	if got.Code != RevokedCertificate || len(trust.Warnings()) != 0 {
		t.Errorf("%s %v %q", got.Code, got.Err, trust.Warnings())
	}
}

// TestPaths changes one certificate of a chain through a link each.
func TestPaths(t *testing.T) {
	a := authority(t)
	type chain struct {
		link, leaf x509.Certificate
		files      map[string][]byte
	}
	usage := func(from, to time.Time) pkix.Extension {
		value := marshal(t, struct {
			From time.Time `asn1:"optional,generalized,tag:0"`
			To   time.Time `asn1:"optional,generalized,tag:1"`
		}{from, to})
		return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 16}, Value: value}
	}
	unknown := pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}
	for name, c := range map[string]struct {
		change func(*chain)
		code   Code
		err    error
	}{
		"valid":                {func(*chain) {}, Valid, nil},
		"link is no authority": {func(c *chain) { c.link.IsCA = false }, UntrustedCertificate, ErrChain},
		"link may not certify": {func(c *chain) { c.link.KeyUsage = x509.KeyUsageCRLSign }, UntrustedCertificate, ErrChain},
		"link has constraints": {func(c *chain) { c.link.PermittedDNSDomains = []string{"example.com"} }, UntrustedCertificate, ErrChain},
		"link is not known":    {func(c *chain) { c.link.ExtraExtensions = []pkix.Extension{unknown} }, UntrustedCertificate, ErrChain},
		"link is over":         {func(c *chain) { c.link.NotAfter = day(2026, 9, 4) }, ExpiredCertificate, ErrCertificateTime},
		"link has not begun":   {func(c *chain) { c.link.NotBefore = day(2026, 9, 6) }, ExpiredCertificate, ErrCertificateTime},
		"link is missing":      {func(c *chain) { delete(c.files, "link") }, UntrustedCertificate, ErrChain},
		"root is missing":      {func(c *chain) { delete(c.files, "root") }, UntrustedCertificate, ErrChain},
		"signer for no seals":  {func(c *chain) { c.leaf.KeyUsage = x509.KeyUsageKeyAgreement }, UnknownCertificate, ErrUnknownSigner},
		"signer is not known":  {func(c *chain) { c.leaf.ExtraExtensions = []pkix.Extension{unknown} }, UntrustedCertificate, ErrChain},
		"key in use":           {func(c *chain) { c.leaf.ExtraExtensions = []pkix.Extension{usage(day(2026, 8, 1), day(2027, 1, 1))} }, Valid, nil},
		"key critically in use": {func(c *chain) {
			e := usage(day(2026, 8, 1), day(2027, 1, 1))
			e.Critical = true
			c.leaf.ExtraExtensions = []pkix.Extension{e}
		}, Valid, nil},
		"key no longer in use": {func(c *chain) { c.leaf.ExtraExtensions = []pkix.Extension{usage(day(2026, 1, 1), day(2026, 8, 1))} }, ExpiredCertificate, ErrSignedOutside},
		"key not yet in use":   {func(c *chain) { c.leaf.ExtraExtensions = []pkix.Extension{usage(day(2026, 10, 1), day(2027, 1, 1))} }, ExpiredCertificate, ErrSignedOutside},
		"key usage unreadable": {func(c *chain) {
			c.leaf.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 16}, Value: []byte{1}}}
		}, UnknownCertificate, ErrUnknownSigner},
		"link is revoked": {func(c *chain) { c.files["list"] = revoke(t, a, 1, nil, 0x77) }, RevokedCertificate, ErrRevoked},
	} {
		t.Run(name, func(t *testing.T) {
			linkKey, key := newKey(t, brainpool.P256r1()), newKey(t, brainpool.P256r1())
			root := *a.CA
			root.MaxPathLen, root.MaxPathLenZero = -1, false
			w := chain{link: root, leaf: *a.Signer, files: map[string][]byte{"root": nil, "link": nil}}
			w.link.SerialNumber, w.link.Subject.CommonName, w.link.RawSubject = big.NewInt(0x77), "link", nil
			c.change(&w)
			makers := map[string][]byte{
				"root": certifyAny(t, &root, &root, &a.CAKey.PublicKey, a.CAKey),
				"link": certifyAny(t, &w.link, &root, &linkKey.PublicKey, a.CAKey),
			}
			for name, b := range w.files {
				if b == nil {
					w.files[name] = makers[name]
				}
			}
			w.files["leaf"] = certifyAny(t, &w.leaf, &w.link, &key.PublicKey, linkKey)
			trust := trustOf(t, TrustOptions{}, w.files)
			got := trust.Verify(parsed(t, signAny(t, header(t, a), features(), key)), now)
			if got.Code != c.code || !errors.Is(got.Err, c.err) {
				t.Errorf("%s %v, want %s %v; warnings %q", got.Code, got.Err, c.code, c.err, trust.Warnings())
			}
		})
	}
}

// TestPathLimits: an authority's own limit on authorities below it holds, and
// a circle of authorities ends.
func TestPathLimits(t *testing.T) {
	a := authority(t) // its root allows none below it
	linkKey := newKey(t, brainpool.P256r1())
	link := *a.CA
	link.SerialNumber, link.Subject.CommonName, link.RawSubject = big.NewInt(0x77), "link", nil
	files := map[string][]byte{
		"root": a.CA.Raw,
		"link": certifyAny(t, &link, a.CA, &linkKey.PublicKey, a.CAKey),
		"leaf": certifyAny(t, a.Signer, &link, &a.SignerKey.PublicKey, linkKey),
	}
	s := parsed(t, made(t, a))
	if got := trustOf(t, TrustOptions{}, files).Verify(s, now); !errors.Is(got.Err, ErrChain) {
		t.Errorf("below a limit of none: %s %v", got.Code, got.Err)
	}
	far, farKey := link, newKey(t, brainpool.P256r1())
	for _, c := range []*x509.Certificate{&link, &far} {
		c.MaxPathLen, c.MaxPathLenZero = -1, false
	}
	far.Subject.CommonName = "far"
	files = map[string][]byte{
		"link": certifyAny(t, &link, &far, &linkKey.PublicKey, farKey),
		"far":  certifyAny(t, &far, &link, &farKey.PublicKey, linkKey),
		"leaf": certifyAny(t, a.Signer, &link, &a.SignerKey.PublicKey, linkKey),
	}
	if got := trustOf(t, TrustOptions{}, files).Verify(s, now); !errors.Is(got.Err, ErrChain) {
		t.Errorf("in a circle: %s %v", got.Code, got.Err)
	}
}
