package app

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"

	"bordergate/barcode/seal"
	"bordergate/sync/accounts"
	"bordergate/sync/wire"
)

// issuer is an authority with one signer, and a seal of it.
type issuer struct {
	*seal.Authority
	seal *seal.Seal
}

func newIssuer(t *testing.T, name string) issuer {
	t.Helper()
	a, err := seal.NewAuthority(seal.AuthorityOptions{
		Country: "UT", Signer: name, Serial: 7, NotBefore: time.Now().Add(-72 * time.Hour), NotAfter: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	on := time.Now().Add(-48 * time.Hour)
	h, err := seal.NewHeader(a.Signer, "UTO", on, on)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := seal.Sign(h, []seal.Feature{{Tag: 1, Value: []byte("x")}}, a.SignerKey)
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return issuer{a, s}
}

// list is the authority's revocation list, issued an hour ago for a day.
func (i issuer) list(t *testing.T, number int64, serials ...int64) TrustFile {
	t.Helper()
	l := &x509.RevocationList{
		Number: big.NewInt(number), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(23 * time.Hour),
	}
	for _, s := range serials {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: big.NewInt(s), RevocationTime: time.Now().Add(-2 * time.Hour),
		})
	}
	raw, err := x509.CreateRevocationList(rand.Reader, l, i.CA, i.CAKey)
	if err != nil {
		t.Fatal(err)
	}
	return TrustFile{Name: "list.crl", Data: raw}
}

func (i issuer) root() TrustFile   { return TrustFile{"root.der", i.CA.Raw} }
func (i issuer) signer() TrustFile { return TrustFile{"signer.der", i.Signer.Raw} }
func (i issuer) print() string     { return printOf(i.CA.Raw) }

func printOf(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// publish asks as the commands do.
func publish(t *testing.T, h *hqRig, o TrustOrder) (TrustReport, error) {
	t.Helper()
	if o.By == "" {
		o.By = "N. N."
	}
	return ask[TrustReport](t, h, "POST", "/trust", o)
}

func mustPublish(t *testing.T, h *hqRig, o TrustOrder) TrustReport {
	t.Helper()
	r, err := publish(t, h, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// verify judges a seal by the store in a gate's cache, as the gate does.
func verify(t *testing.T, r *accounts.Replica, s *seal.Seal) seal.Code {
	t.Helper()
	store, _, err := r.Trust()
	if err != nil {
		t.Fatal(err)
	}
	lists, _ := seal.ParseListPolicy(store.Lists)
	var files []seal.TrustFile
	for _, der := range slices.Concat(store.Certificates, store.Revocations) {
		files = append(files, seal.TrustFile{Data: der})
	}
	return seal.ReadTrust(seal.TrustOptions{Lists: lists}, files...).Verify(s, time.Now()).Code
}

// waitCursor returns once the gate has committed the log up to seq.
func waitCursor(t *testing.T, g *gateRig, seq uint64) {
	t.Helper()
	limit := time.After(patience)
	for {
		if _, at := g.accounts.Cursor(); at >= seq {
			return
		}
		select {
		case <-g.changed: // comes after each commit
		case <-limit:
			t.Fatal("waited in vain for the trust store at the gate")
		}
	}
}

// TestTrustStoreIsThereOffline is the way of a store: headquarters publishes,
// the gate keeps it without headquarters and over a restart, and what was
// revoked meanwhile bites when it is back.
func TestTrustStoreIsThereOffline(t *testing.T) {
	h := newHQ(t)
	h.start()
	i := newIssuer(t, "GT")
	first := mustPublish(t, h, TrustOrder{Add: []TrustFile{i.root(), i.signer()}, Compared: []string{i.print()}})
	if !first.Written || first.Version == 0 || len(first.Entries) != 2 || first.Lists != wire.ListsOff {
		t.Fatalf("report %+v", first)
	}
	g := newGate(t, h, "lane-1")
	g.start(h)
	until(t, "the end of catching up", g.catching, false)
	if code := verify(t, g.accounts, i.seal); code != seal.Valid {
		t.Fatalf("a seal at the gate: %s", code)
	}
	g.stop()
	h.stop()
	g.reopen()
	if code := verify(t, g.accounts, i.seal); code != seal.Valid {
		t.Errorf("a seal without headquarters, after a restart: %s", code)
	}
	h.start() // which remembers the store as well
	second := mustPublish(t, h, TrustOrder{Add: []TrustFile{i.list(t, 1, 7)}})
	if second.Version <= first.Version || len(second.Entries) != 3 {
		t.Errorf("report %+v", second)
	}
	if code := verify(t, g.accounts, i.seal); code != seal.Valid {
		t.Errorf("a gate without headquarters knows of a revocation: %s", code)
	}
	g.start(h)
	until(t, "the end of catching up", g.catching, false)
	if code := verify(t, g.accounts, i.seal); code != seal.RevokedCertificate {
		t.Errorf("a revoked signer at the gate: %s", code)
	}
	// A change while the gate is there comes by itself; what is taken out is
	// unknown.
	third := mustPublish(t, h, TrustOrder{Remove: []string{printOf(i.Signer.Raw)}, Add: []TrustFile{
		anotherSigner(t, i, 8),
	}})
	waitCursor(t, g, third.Seq)
	if code := verify(t, g.accounts, i.seal); code != seal.UnknownCertificate {
		t.Errorf("a removed signer at the gate: %s", code)
	}
}

// anotherSigner is another signer's certificate of the authority.
func anotherSigner(t *testing.T, i issuer, serial int64) TrustFile {
	t.Helper()
	c := *i.Signer
	c.SerialNumber = big.NewInt(serial)
	raw, err := x509.CreateCertificate(rand.Reader, &c, i.CA, i.SignerKey.Public(), i.CAKey)
	if err != nil {
		t.Fatal(err)
	}
	return TrustFile{Name: "signer2.pem", Data: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})}
}

func TestTrustIsJudgedBeforeItIsPublished(t *testing.T) {
	h := newHQ(t)
	h.start()
	i, other := newIssuer(t, "GT"), newIssuer(t, "X9")
	text := func(s string) *string { return &s }
	long := int64(wire.MaxListAge + 1)
	refusals := func(cases map[string]TrustOrder) {
		t.Helper()
		head := h.app.ledger.Head().Seq
		for name, o := range cases {
			if r, err := publish(t, h, o); !errors.Is(err, ErrRefused) {
				t.Errorf("%s: %+v, %v; want a refusal", name, r, err)
			}
		}
		if got := h.app.ledger.Head().Seq; got != head {
			t.Errorf("the log grew from %d to %d", head, got)
		}
	}
	both, print := []TrustFile{i.root(), i.signer()}, []string{i.print()}
	refusals(map[string]TrustOrder{
		"a root that nobody compared": {Add: both},
		"another one was compared":    {Add: both, Compared: []string{other.print()}},
		"no signer":                   {Add: both[:1], Compared: print},
		"no authority":                {Add: both[1:]},
		"another's signer":            {Add: []TrustFile{i.root(), i.signer(), {"other", other.Signer.Raw}}, Compared: print},
		"another's list":              {Add: []TrustFile{i.root(), i.signer(), other.list(t, 1)}, Compared: print},
		"junk":                        {Add: append(both, TrustFile{"junk", []byte("junk")}), Compared: print},
		"an empty file":               {Add: append(both, TrustFile{"empty", nil}), Compared: print},
		"a name of ours":              {Add: append(both, TrustFile{publishedName + "x", i.CA.Raw}), Compared: print},
		"an unknown rule":             {Add: both, Compared: print, Lists: text("sometimes")},
		"a list age of years":         {Add: both, Compared: print, ListAge: &long},
		"lists required without one":  {Add: both, Compared: print, Lists: text(wire.ListsRequired)},
		"nothing to remove":           {Remove: print},
		"a store of nothing":          {Again: true},
	})
	if _, err := ask[TrustReport](t, h, "POST", "/trust", TrustOrder{Add: both, Compared: print}); !errors.Is(err, ErrRefused) {
		t.Errorf("by nobody: %v", err)
	}
	first := mustPublish(t, h, TrustOrder{
		Add: append(both, i.list(t, 2)), Compared: []string{groups(i.print())}, Lists: text(wire.ListsRequired),
	})
	refusals(map[string]TrustOrder{
		"an older list":         {Add: []TrustFile{i.list(t, 1)}},
		"what is there":         {Add: []TrustFile{i.signer()}},
		"a root without signer": {Remove: print},
		"the last signer":       {Remove: []string{printOf(i.Signer.Raw)}},
		"the list it needs":     {Remove: []string{printOf(first.listDER(t, h))}},
	})
	r := mustPublish(t, h, TrustOrder{Lists: text(wire.ListsRequired)})
	if r.Written || r.Version != first.Version {
		t.Errorf("nothing new was published: %+v", r)
	}
	r = mustPublish(t, h, TrustOrder{Replace: true, Again: true, Add: both, Lists: text(wire.ListsWhenPresent)})
	if !r.Written || r.Version <= first.Version || len(r.Entries) != 2 || r.Lists != wire.ListsWhenPresent {
		t.Errorf("a folder in place of all: %+v", r)
	}
	list, err := ask[TrustReport](t, h, "GET", "/trust", nil)
	if err != nil || list.Version != r.Version || len(list.Entries) != 2 {
		t.Errorf("listed: %+v, %v", list, err)
	}
}

// listDER is the list in the published store.
func (r TrustReport) listDER(t *testing.T, h *hqRig) []byte {
	t.Helper()
	h.app.ledger.mu.Lock()
	defer h.app.ledger.mu.Unlock()
	_, lists, err := h.app.ledger.trust.store.Join(func(p wire.Hash) []byte { return h.app.ledger.trust.parts[p] })
	if err != nil || len(lists) != 1 {
		t.Fatalf("%d lists, %v", len(lists), err)
	}
	return lists[0]
}

// groups writes a fingerprint as people read it out.
func groups(print string) (out string) {
	for part := range slices.Chunk([]byte(print), 4) {
		out += string(part) + " "
	}
	return out
}

// TestGrownListIsSentInParts: a list beyond one message, and only what is new.
func TestGrownListIsSentInParts(t *testing.T) {
	h := newHQ(t)
	h.start()
	i := newIssuer(t, "GT")
	serials := make([]int64, 3000)
	for n := range serials {
		serials[n] = int64(n) + 1<<40
	}
	large := i.list(t, 1, serials...)
	if len(large.Data) <= 2*wire.MaxTrustPart {
		t.Fatalf("a list of %d bytes tests nothing", len(large.Data))
	}
	first := mustPublish(t, h, TrustOrder{Add: []TrustFile{i.root(), i.signer(), large}, Compared: []string{i.print()}})
	second := mustPublish(t, h, TrustOrder{Add: []TrustFile{anotherSigner(t, i, 8)}})
	if n := second.Seq - first.Seq; n != 2 {
		t.Errorf("one more signer took %d changes, want its part and the store", n)
	}
	g := newGate(t, h, "lane-1")
	g.start(h)
	until(t, "the end of catching up", g.catching, false)
	store, _, err := g.accounts.Trust()
	if err != nil || store.Ver != second.Version || len(store.Revocations) != 1 || string(store.Revocations[0]) != string(large.Data) {
		t.Errorf("store %d with %d lists, %v", store.Ver, len(store.Revocations), err)
	}
	if code := verify(t, g.accounts, i.seal); code != seal.Valid {
		t.Errorf("a seal at the gate: %s", code)
	}
}
