package app

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bordergate/barcode/pass"
	"bordergate/barcode/seal"
	"bordergate/configs"
	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/sync/accounts"
	"bordergate/sync/wire"
)

// office is an authority with one signer, and the bytes of a pass of it.
type office struct {
	*seal.Authority
	payload []byte
}

func newOffice(t *testing.T, signer string, lasts time.Duration) office {
	t.Helper()
	now := time.Now()
	a, err := seal.NewAuthority(seal.AuthorityOptions{
		Country: "UT", Signer: signer, Serial: 7, NotBefore: now.Add(-30 * day), NotAfter: now.Add(lasts),
	})
	if err != nil {
		t.Fatal(err)
	}
	p := pass.Pass{
		Number: "P1", Type: pass.TypeBorderPass, Name: "NGUOI MAU", NameMRZ: "NGUOI<<MAU",
		Birth: time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), Account: "A1",
		ValidFrom: now.Add(-10 * day).UTC().Truncate(day), ValidTo: now.Add(10 * day).UTC().Truncate(day),
		Crossings: []string{"HNG1"}, Directions: pass.Exit,
	}
	features, err := p.Features()
	if err != nil {
		t.Fatal(err)
	}
	h, err := seal.NewHeader(a.Signer, "UTO", now.Add(-9*day), now.Add(-9*day))
	if err != nil {
		t.Fatal(err)
	}
	o := office{Authority: a}
	if o.payload, err = seal.Sign(pass.Header(h), features, a.SignerKey); err != nil {
		t.Fatal(err)
	}
	return o
}

// list is the office's revocation list, issued so long ago and for a day.
func (o office) list(t *testing.T, number int64, ago time.Duration, serials ...int64) []byte {
	t.Helper()
	issued := time.Now().Add(-ago)
	l := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: issued, NextUpdate: issued.Add(day)}
	for _, s := range serials {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: big.NewInt(s), RevocationTime: issued,
		})
	}
	raw, err := x509.CreateRevocationList(rand.Reader, l, o.CA, o.CAKey)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (o office) certs() [][]byte { return [][]byte{o.CA.Raw, o.Signer.Raw} }

// trustRig is a believer over a real cache and journal.
type trustRig struct {
	*registerRig
	*believer
	conf configs.Trust
	seq  uint64
}

func newTrustRig(t *testing.T) *trustRig {
	t.Helper()
	r := &trustRig{registerRig: newRegisterRig(t)}
	r.conf = configs.Trust{Dir: filepath.Join(r.dir, "trust"), Lists: wire.ListsOff}
	if err := os.MkdirAll(r.conf.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	r.believe()
	return r
}

// believe makes the believer anew, as a start does.
func (r *trustRig) believe() {
	r.t.Helper()
	r.believer = newBeliever(r.replica, r.journal, r.conf, slog.New(slog.DiscardHandler))
	if err := r.load(); err != nil {
		r.t.Fatal(err)
	}
}

// restart closes and opens everything.
func (r *trustRig) restart() {
	r.t.Helper()
	r.registerRig.close()
	r.registerRig.open([16]byte{2})
	r.believe()
}

// lose has the running gate find its cache's file gone, as one that was damaged.
func (r *trustRig) lose() {
	r.t.Helper()
	r.registerRig.close()
	if err := os.Remove(filepath.Join(r.dir, "accounts.db")); err != nil {
		r.t.Fatal(err)
	}
	r.registerRig.open([16]byte{1})
	r.cache, r.facts = r.replica, r.journal
}

func (r *trustRig) folder(name string, der []byte) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.conf.Dir, name), der, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// changes are those of a store, its parts first.
func changes(ver uint64, certificates, lists [][]byte, change ...func(*wire.Trust)) []wire.Change {
	store, parts := wire.NewTrust(certificates, lists)
	store.Issued, store.Lists = int64(ver), wire.ListsOff
	for _, f := range change {
		f(&store)
	}
	var out []wire.Change
	for _, p := range parts {
		out = append(out, wire.Change{Op: wire.OpTrustPart, Ver: ver, Part: p})
	}
	return append(out, wire.Change{Op: wire.OpTrust, Ver: ver, Trust: &store})
}

// send lets headquarters' store come and be followed.
func (r *trustRig) send(list []wire.Change) {
	r.t.Helper()
	r.apply(r.replica, list)
	if err := r.load(); err != nil {
		r.t.Fatal(err)
	}
}

type applier interface {
	Apply(epoch, first uint64, prev, hash wire.Hash, changes []wire.Change) error
}

func (r *trustRig) apply(to applier, list []wire.Change) {
	r.t.Helper()
	first := r.seq + 1
	r.seq += uint64(len(list))
	if err := to.Apply(1, first, placeHash(first-1), placeHash(r.seq), list); err != nil {
		r.t.Fatal(err)
	}
}

// placeHash stands for the chain's hash at a place of the log.
func placeHash(seq uint64) (h wire.Hash) {
	h[0], h[1] = byte(seq), byte(seq>>8)
	return h
}

// wantClaim reads a pass and names what is wrong with it, none for nothing.
func (r *trustRig) wantClaim(what string, payload []byte, fault reason.Reason, detail string) {
	r.t.Helper()
	c := passes{r.believed}.Read(payload, time.Now())
	if c.Fault != fault || c.Detail != detail || fault == 0 && c.Pass.Number != "P1" {
		r.t.Errorf("%s: %v %q, want %v %q", what, c.Fault, c.Detail, fault, detail)
	}
}

func (r *trustRig) wantStatus(source string, ver uint64, says ...string) {
	r.t.Helper()
	s := r.believer.status(time.Now())
	if s.Source != source || s.Version != ver || (s.Fault == "") != (len(says) == 0) {
		r.t.Errorf("status %+v, want %s %d", s, source, ver)
	}
	for _, w := range says {
		if !strings.Contains(s.Fault, w) {
			r.t.Errorf("fault %q does not say %q", s.Fault, w)
		}
	}
}

func TestHeadquartersStoreRulesOverTheFolder(t *testing.T) {
	r := newTrustRig(t)
	local, hq := newOffice(t, "L1", day), newOffice(t, "H1", day)
	r.wantStatus(fromFolder, 0, "hqd trust publish", "gatectl seal trust add")
	r.wantClaim("nobody is known", local.payload, reason.PassSigner, "signer_unknown")
	r.folder("ca.der", local.CA.Raw)
	r.folder("signer.der", local.Signer.Raw)
	r.believe()
	r.wantStatus(fromFolder, 0)
	r.wantClaim("of the folder", local.payload, 0, "")

	r.send(changes(5, hq.certs(), nil))
	r.wantStatus(fromHQ, 5)
	r.wantClaim("of headquarters", hq.payload, 0, "")
	r.wantClaim("of the folder, now", local.payload, reason.PassSigner, "signer_unknown")

	r.folder("hq.crl", hq.list(t, 1, time.Hour, 7))
	r.believe()
	r.wantStatus(fromHQ, 5)
	r.wantClaim("revoked by the folder's list", hq.payload, reason.PassSigner, "signer_revoked")
}

func TestEachReasonOfASignerIsToldApart(t *testing.T) {
	r := newTrustRig(t)
	hq, other, over := newOffice(t, "H1", day), newOffice(t, "X9", day), newOffice(t, "O1", -time.Hour)
	required := func(s *wire.Trust) { s.Lists = wire.ListsRequired }
	forged := slices.Clone(hq.payload)
	forged[len(forged)-1] ^= 1
	for i, c := range []struct {
		detail  string
		list    func(ver uint64) []wire.Change
		payload []byte
		fault   reason.Reason
	}{
		{"", func(v uint64) []wire.Change { return changes(v, hq.certs(), nil) }, hq.payload, 0},
		{"signature", func(v uint64) []wire.Change { return changes(v, hq.certs(), nil) }, forged, reason.PassSignature},
		{"signer_unknown", func(v uint64) []wire.Change { return changes(v, hq.certs(), nil) }, other.payload, reason.PassSigner},
		{"signer_untrusted", func(v uint64) []wire.Change { return changes(v, append(hq.certs(), other.Signer.Raw), nil) }, other.payload, reason.PassSigner},
		{"signer_expired", func(v uint64) []wire.Change { return changes(v, over.certs(), nil) }, over.payload, reason.PassSigner},
		{"signer_revoked", func(v uint64) []wire.Change {
			return changes(v, hq.certs(), [][]byte{hq.list(t, 1, time.Hour, 7)})
		}, hq.payload, reason.PassSigner},
		{"list_missing", func(v uint64) []wire.Change { return changes(v, hq.certs(), nil, required) }, hq.payload, reason.PassSigner},
		{"list_old", func(v uint64) []wire.Change {
			return changes(v, hq.certs(), [][]byte{hq.list(t, 1, 2*day)}, required)
		}, hq.payload, reason.PassSigner},
	} {
		r.send(c.list(uint64(i + 1)))
		r.wantStatus(fromHQ, uint64(i+1))
		r.wantClaim(c.detail, c.payload, c.fault, c.detail)
	}
	if s := r.believer.status(time.Now()); s.OldLists != 1 || s.Lists != wire.ListsRequired {
		t.Errorf("status %+v", s)
	}
}

// TestTheFileIsOnlyStricter: what the gate's own file says counts where it asks
// for more than headquarters.
func TestTheFileIsOnlyStricter(t *testing.T) {
	hq := newOffice(t, "H1", day)
	week := func(s *wire.Trust) { s.Lists, s.ListAge = wire.ListsWhenPresent, 7*24*3600 }
	for name, c := range map[string]struct {
		conf   configs.Trust
		ago    time.Duration // of headquarters' list
		detail string
	}{
		"laxer":             {configs.Trust{Lists: wire.ListsOff, Pin: true}, 8 * day, "list_old"},
		"as headquarters":   {configs.Trust{Lists: wire.ListsOff}, 6 * day, ""},
		"a shorter age":     {configs.Trust{Lists: wire.ListsOff, ListAge: 2 * day}, 6 * day, "list_old"},
		"a longer age":      {configs.Trust{Lists: wire.ListsOff, ListAge: 20 * day}, 8 * day, "list_old"},
		"required, in time": {configs.Trust{Lists: wire.ListsRequired}, 6 * day, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTrustRig(t)
			c.conf.Dir = filepath.Join(r.dir, "none") // there need be no folder any more
			r.conf = c.conf
			r.apply(r.replica, changes(1, hq.certs(), [][]byte{hq.list(t, 1, c.ago)}, week))
			r.believe()
			fault := reason.PassSigner
			if c.detail == "" {
				fault = 0
			}
			r.wantClaim(name, hq.payload, fault, c.detail)
		})
	}
	r := newTrustRig(t)
	r.conf.Lists = wire.ListsRequired
	r.apply(r.replica, changes(1, hq.certs(), nil))
	r.believe()
	r.wantClaim("required here only", hq.payload, reason.PassSigner, "list_missing")
	r.folder("hq.crl", hq.list(t, 1, time.Hour))
	r.believe()
	r.wantClaim("brought by hand", hq.payload, 0, "")
}

func TestUnusableStoreKeepsTheLastGoodOne(t *testing.T) {
	r := newTrustRig(t)
	local, hq, next := newOffice(t, "L1", day), newOffice(t, "H1", day), newOffice(t, "N1", day)
	r.folder("ca.der", local.CA.Raw)
	r.folder("signer.der", local.Signer.Raw)
	r.believe()
	r.send(changes(1, [][]byte{[]byte("of a later kind")}, nil))
	r.wantStatus(fromFolder, 0, "store 1 is not used", "hqd trust", "software")
	r.wantClaim("before any good one", local.payload, 0, "")
	r.send(changes(2, hq.certs(), nil))
	r.send(changes(3, next.certs(), [][]byte{[]byte("no list")}))
	r.wantStatus(fromHQ, 2, "store 3 is not used", "list", "2 stays in use")
	r.wantClaim("the last good one", hq.payload, 0, "")
	r.restart()
	r.wantStatus(fromHQ, 2, "store 3 is not used", "2 stays in use")
	r.wantClaim("after a restart", hq.payload, 0, "")
	r.wantClaim("of the one not used", next.payload, reason.PassSigner, "signer_unknown")
	half := changes(4, newOffice(t, "T1", day).certs(), nil)
	r.send(half[1:])
	r.wantStatus(fromHQ, 2, "store 3 is not used")
	r.send(changes(5, next.certs(), nil))
	r.wantStatus(fromHQ, 5)
	r.wantClaim("mended", next.payload, 0, "")
	half = changes(6, newOffice(t, "T2", day).certs(), nil)
	r.send(half[1:])
	r.wantStatus(fromHQ, 5, "store 6 did not come whole", "hqd trust publish")
}

// TestLostCacheBelievesNobodyUntilItCameAgain: neither the folder nor an older
// store takes the place of one that was used here.
func TestLostCacheBelievesNobodyUntilItCameAgain(t *testing.T) {
	r := newTrustRig(t)
	hq, old := newOffice(t, "H1", day), newOffice(t, "O1", day)
	r.folder("ca.der", old.CA.Raw)
	r.folder("signer.der", old.Signer.Raw)
	r.send(changes(2, hq.certs(), nil))
	r.lose()
	if err := r.load(); err != nil {
		t.Fatal(err)
	}
	r.wantStatus(fromHQ, 2, "store 2 was used here", "comes again")
	r.wantClaim("while the gate runs", hq.payload, 0, "") // and no account is usable
	r.restart()
	r.wantStatus(fromNobody, 0, "store 2 was used here", "comes again")
	r.wantClaim("after a restart", hq.payload, reason.CacheStale, "trust_missing")
	r.wantClaim("of the folder", old.payload, reason.CacheStale, "trust_missing")
	r.seq = 0
	r.send(changes(1, old.certs(), nil))
	r.wantStatus(fromNobody, 0, "the cache has 1")
	r.wantClaim("of an older store", old.payload, reason.CacheStale, "trust_missing")
	r.send(changes(2, hq.certs(), nil))
	r.wantStatus(fromHQ, 2)
	r.wantClaim("come again", hq.payload, 0, "")
}

// TestRevokedSignerBitesForTheNextPass follows a change through the cache as
// the link sees it, to the lane's record.
func TestRevokedSignerBitesForTheNextPass(t *testing.T) {
	r := newTrustRig(t)
	hq := newOffice(t, "H1", day)
	followed := make(chan struct{}, 8)
	r.believer.log = slog.New(onLog{slog.DiscardHandler, func() { followed <- struct{}{} }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.believer.serve(ctx) }()
	link := cache{Replica: r.replica, clock: newWallClock(time.Time{}), catching: func() bool { return false }, trust: r.changed}
	r.apply(link, changes(1, hq.certs(), nil))
	<-followed
	r.wantClaim("published", hq.payload, 0, "")
	r.apply(link, []wire.Change{{Op: wire.OpStamp, Pass: "P1", Ver: 1, Stamped: 1}}) // moves nothing
	r.apply(link, changes(2, hq.certs(), [][]byte{hq.list(t, 1, time.Hour, 7)}))
	<-followed
	r.wantClaim("revoked", hq.payload, reason.PassSigner, "signer_revoked")
	cancel()
	<-done

	c := passes{r.believed}.Read(hq.payload, time.Now())
	d, err := r.recorder.draft(gate.Entry{Kind: gate.EntryDecision, Public: gate.Public{
		Outcome: reason.Referred, Reasons: []reason.Reason{c.Fault}, Detail: c.Detail,
	}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(d.Public)
	if err != nil || !strings.Contains(string(b), `"detail":"signer_revoked"`) || d.Personal != nil {
		t.Errorf("record %s, personal part %q, %v", b, d.Personal, err)
	}
}

// onLog calls said at each line.
type onLog struct {
	slog.Handler
	said func()
}

func (h onLog) Enabled(context.Context, slog.Level) bool { return true }

func (h onLog) Handle(context.Context, slog.Record) error { h.said(); return nil }

var _ trustCache = (*accounts.Replica)(nil)
