package app

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"bordergate/gate"
	"bordergate/sync/link"
	"bordergate/sync/wire"
)

// documentRig is a gate's documents over a folder and a memory of facts.
type documentRig struct {
	*documents
	t       *testing.T
	signer  wire.Signer
	store   *memory
	rules   *rules
	refused int
}

func newDocumentRig(t *testing.T) *documentRig {
	t.Helper()
	r := &documentRig{t: t, signer: testKey(t, "policy-1", wire.RolePolicy), store: newMemory()}
	r.documents = &documents{dir: t.TempDir()}
	r.restart()
	return r
}

// restart reads anew what was kept.
func (r *documentRig) restart() {
	r.t.Helper()
	ring, err := wire.NewKeyring(r.signer.Public())
	if err != nil {
		r.t.Fatal(err)
	}
	r.rules = &rules{changed: func() {}}
	r.rules.begin(laxFile())
	r.documents = &documents{
		dir: r.dir, facts: r.store, ring: ring, log: slog.New(slog.DiscardHandler), count: func(string) { r.refused++ },
		in: make(chan link.Document, 4), at: make(map[string]documentState), users: map[string]documentUser{wire.TypePolicy: r.rules.user()},
	}
	r.load()
}

func (r *documentRig) policy(ver uint64, change ...func(*wire.Policy)) link.Document {
	r.t.Helper()
	p := hqPolicy()
	p.Ver = ver
	for _, c := range change {
		c(&p)
	}
	signed, err := wire.SignJSON(r.signer, wire.Header{Typ: wire.TypePolicy, Ver: 1, To: wire.ToAll, Topic: wire.TopicPolicy, Seq: ver}, p)
	if err != nil {
		r.t.Fatal(err)
	}
	d, err := link.ReadDocument(r.ring, wire.TypePolicy, signed)
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

func (r *documentRig) want(what string, ver uint64, lost, fault bool) {
	r.t.Helper()
	p, at := r.rules.Policy(), r.now(wire.TypePolicy)
	if p.Version != ver || p.Lost != lost || (at.fault != "") != fault || at.ver != ver {
		r.t.Fatalf("%s: version %d, lost %v, %+v", what, p.Version, p.Lost, at)
	}
}

func TestPolicyIsKeptAndNeverFalls(t *testing.T) {
	r := newDocumentRig(t)
	r.want("none yet", 0, false, false)
	r.renew(r.policy(7))
	r.renew(r.policy(7)) // retained, and sent again
	r.want("taken", 7, false, false)
	old := r.policy(6)
	r.renew(old)
	r.want("an older one", 7, false, false)
	if r.refused != 1 || r.store.facts[documentFact(wire.TypePolicy)] != 7 {
		t.Fatalf("%d refused, %v", r.refused, r.store.facts)
	}
	r.restart()
	r.want("after a restart", 7, false, false)
	r.renew(r.policy(8, func(p *wire.Policy) { p.FMR = "1e-4" }))
	r.want("a newer one", 8, false, false)
	// Somebody puts the file of an earlier day back.
	if err := os.WriteFile(r.path(wire.TypePolicy), old.Signed, 0o600); err != nil {
		t.Fatal(err)
	}
	r.restart()
	r.want("set back", 0, true, true)
	r.renew(r.policy(7))
	r.want("an older one after a loss", 0, true, true)
	r.renew(r.policy(8))
	r.want("sent again", 8, false, false)
}

func TestLostAndDamagedPolicies(t *testing.T) {
	for name, damage := range map[string]func(r *documentRig) error{
		"gone":      func(r *documentRig) error { return os.Remove(r.path(wire.TypePolicy)) },
		"cut":       func(r *documentRig) error { return os.Truncate(r.path(wire.TypePolicy), 40) },
		"empty":     func(r *documentRig) error { return os.Truncate(r.path(wire.TypePolicy), 0) },
		"oversized": func(r *documentRig) error { return os.Truncate(r.path(wire.TypePolicy), wire.MaxMessage*2) },
		"of another key": func(r *documentRig) error {
			r.signer = testKey(r.t, "policy-1", wire.RolePolicy)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newDocumentRig(t)
			r.renew(r.policy(7))
			if err := damage(r); err != nil {
				t.Fatal(err)
			}
			r.restart()
			r.want(name, 0, true, true)
		})
	}
}

func TestUnusablePolicyChangesNothing(t *testing.T) {
	r := newDocumentRig(t)
	r.renew(r.policy(7))
	r.renew(r.policy(8, func(p *wire.Policy) { p.CacheMaxAge = 1 << 40 }))
	if p := r.rules.Policy(); p.Version != 7 || p.Lost || r.now(wire.TypePolicy).fault == "" || r.refused != 1 {
		t.Fatalf("%+v, %+v", p, r.now(wire.TypePolicy))
	}
	d := r.policy(9)
	d.Ver = 10 // its header says otherwise
	r.renew(d)
	if p := r.rules.Policy(); p.Version != 7 || r.refused != 2 {
		t.Fatalf("%+v", p)
	}
	r.store.fail = errors.New("disk full")
	r.renew(r.policy(11)) // it rules all the same
	if p := r.rules.Policy(); p.Version != 11 || r.now(wire.TypePolicy).fault == "" {
		t.Fatalf("%+v, %+v", p, r.now(wire.TypePolicy))
	}
}

// officerRig is a gate that knows one officer.
type officerRig struct {
	*officers
	t     *testing.T
	who   wire.Signer
	trust gate.ClockTrust
	wall  time.Time
	now   int64
}

func (r *officerRig) Wall() (time.Time, gate.ClockTrust, time.Time) {
	return r.wall, r.trust, r.wall.Add(-time.Hour)
}

func newOfficerRig(t *testing.T, change ...func(*wire.Officer)) *officerRig {
	t.Helper()
	r := &officerRig{t: t, who: testKey(t, "", wire.RoleOfficer), trust: gate.ClockSynced, wall: time.Now(), now: 1e12}
	o := wire.Officer{
		ID: "o-17", Key: r.who.Key.Public().(ed25519.PublicKey), Acts: []string{wire.ActOverride, wire.ActMode}, Crossings: []string{"HNG1"},
		NotAfter: r.wall.Add(365 * day).UnixMilli(),
	}
	for _, c := range change {
		c(&o)
	}
	r.who.Kid = o.Kid()
	r.officers = newOfficers("lane-1", "HNG1", r)
	r.mono = func() int64 { return r.now }
	b, err := json.Marshal(wire.Officers{Ver: 1, Issued: 1, Officers: []wire.Officer{o}})
	if err != nil {
		t.Fatal(err)
	}
	_, use, err := r.user().read(b)
	if err != nil {
		t.Fatal(err)
	}
	use()
	return r
}

func (r *officerRig) act(nonce string, change ...func(*wire.Header, *wire.Act)) []byte {
	r.t.Helper()
	h, a := wire.Header{Typ: wire.TypeAct, Ver: 1, To: "lane-1"}, wire.Act{Do: wire.ActOverride, Nonce: nonce, Tx: testID, Reason: "document_checked"}
	for _, c := range change {
		c(&h, &a)
	}
	b, err := wire.SignJSON(r.who, h, a)
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

func TestActsOfOfficers(t *testing.T) {
	plain := func(r *officerRig) []byte { return r.act(r.nonce()) }
	with := func(change func(*wire.Header, *wire.Act)) func(r *officerRig) []byte {
		return func(r *officerRig) []byte { return r.act(r.nonce(), change) }
	}
	for name, tc := range map[string]struct {
		officer func(*wire.Officer)
		before  func(*officerRig)
		act     func(*officerRig) []byte
		err     error
	}{
		"good":           {nil, nil, plain, nil},
		"good anywhere":  {func(o *wire.Officer) { o.Crossings = []string{wire.AnyCrossing} }, nil, plain, nil},
		"at 10 s":        {nil, nil, func(r *officerRig) []byte { b := plain(r); r.now += 10e9; return b }, nil},
		"clock is wrong": {nil, func(r *officerRig) { r.trust = gate.ClockBad }, plain, nil},
		"too old":        {nil, nil, func(r *officerRig) []byte { b := plain(r); r.now += 10e9 + 1; return b }, errNonce},
		"own nonce":      {nil, nil, func(r *officerRig) []byte { return r.act(testID) }, errNonce},
		"used": {nil, nil, func(r *officerRig) []byte {
			b := plain(r)
			if _, _, err := r.verify(b); err != nil {
				r.t.Fatal(err)
			}
			return b
		}, errNonce},
		"another gate":      {nil, nil, with(func(h *wire.Header, _ *wire.Act) { h.To = "lane-2" }), errNoOfficer},
		"every gate":        {nil, nil, with(func(h *wire.Header, _ *wire.Act) { h.To = wire.ToAll }), errNoOfficer},
		"another message":   {nil, nil, with(func(h *wire.Header, _ *wire.Act) { h.Typ = wire.TypeCommand }), errNoOfficer},
		"unknown officer":   {nil, func(r *officerRig) { r.who = testKey(r.t, "officer-1", wire.RoleOfficer) }, plain, errNoOfficer},
		"his id, other key": {nil, func(r *officerRig) { r.who = testKey(r.t, r.who.Kid, wire.RoleOfficer) }, plain, errNoOfficer},
		"key is over":       {func(o *wire.Officer) { o.NotAfter = time.Now().Add(-time.Minute).UnixMilli() }, nil, plain, errNoOfficer},
		"key may be over": {
			func(o *wire.Officer) { o.NotAfter = time.Now().Add(day).UnixMilli() }, func(r *officerRig) { r.trust = gate.ClockPlausible }, plain, errNoOfficer,
		},
		"no right":        {nil, nil, with(func(_ *wire.Header, a *wire.Act) { a.Do, a.Tx, a.Reason = wire.ActSignOff, "", "" }), errNoRight},
		"another place":   {func(o *wire.Officer) { o.Crossings = []string{"LCA1"} }, nil, plain, errNoRight},
		"list is lost":    {nil, func(r *officerRig) { r.user().lost() }, plain, errNoOfficer},
		"truncated":       {nil, nil, func(r *officerRig) []byte { return plain(r)[:99] }, errNoOfficer},
		"oversized":       {nil, nil, func(r *officerRig) []byte { return make([]byte, wire.MaxAct+1) }, errNoOfficer},
		"no transaction":  {nil, nil, with(func(_ *wire.Header, a *wire.Act) { a.Tx = "" }), wire.ErrOfficers},
		"nothing to do":   {nil, nil, with(func(_ *wire.Header, a *wire.Act) { a.Do = "" }), wire.ErrOfficers},
		"another's nonce": {nil, nil, func(r *officerRig) []byte { return r.act(newOfficerRig(r.t).nonce()) }, errNonce},
	} {
		t.Run(name, func(t *testing.T) {
			change := []func(*wire.Officer){}
			if tc.officer != nil {
				change = append(change, tc.officer)
			}
			r := newOfficerRig(t, change...)
			if tc.before != nil {
				tc.before(r)
			}
			act, who, err := r.verify(tc.act(r))
			if !errors.Is(err, tc.err) || err == nil && (who.ID != "o-17" || act.Do != wire.ActOverride) {
				t.Fatalf("%+v by %q, %v, want %v", act, who.ID, err, tc.err)
			}
		})
	}
}

func TestNoncesAreBounded(t *testing.T) {
	r := newOfficerRig(t)
	first := r.nonce()
	for range maxNonces * 2 {
		r.now++
		r.nonce()
	}
	if len(r.nonces) != maxNonces {
		t.Fatalf("%d nonces", len(r.nonces))
	}
	if _, _, err := r.verify(r.act(first)); !errors.Is(err, errNonce) {
		t.Fatalf("the oldest is still good: %v", err)
	}
}

// FuzzAct accepts no bytes but those that the officer signed.
func FuzzAct(f *testing.F) {
	f.Add([]byte("a.b.c"))
	f.Add([]byte(`{"do":"override"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newOfficerRig(t)
		r.nonce()
		if act, _, err := r.verify(b); err == nil {
			t.Fatalf("accepted %+v", act)
		}
	})
}
