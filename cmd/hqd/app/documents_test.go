package app

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"bordergate/sync/link"
	"bordergate/sync/wire"
)

func testPolicy() wire.Policy {
	return wire.Policy{
		FMR: "1e-4", Liveness: wire.LivenessEnforce, CacheMaxAge: 3600, Models: []wire.Hash{{1}},
		Types: []wire.TypeRule{{Type: "border_pass", Level: 2}},
	}
}

// follows has the gate say that it works by what headquarters sends.
func (g *gateRig) follows() {
	g.onDocument = func(d link.Document) {
		g.mu.Lock()
		if d.Typ == wire.TypePolicy {
			g.state.Policy = d.Ver
		} else {
			g.state.Officers = d.Ver
		}
		g.mu.Unlock()
		offer(g.documents, d)
		g.link.Changed()
	}
}

// document is the next of the type above a version.
func (g *gateRig) document(typ string, above uint64) link.Document {
	g.t.Helper()
	limit := time.After(patience)
	for {
		select {
		case d := <-g.documents:
			if d.Typ == typ && d.Ver > above {
				return d
			}
		case <-limit:
			g.t.Fatalf("waited in vain for %s above %d", typ, above)
		}
	}
}

func publishPolicy(t *testing.T, h *hqRig, o PolicyOrder) PolicyReport {
	t.Helper()
	r, err := ask[PolicyReport](t, h, "POST", "/policy", o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPolicyReachesGatesAlsoThoseThatComeLater(t *testing.T) {
	h := newHQ(t)
	h.start()
	g := newGate(t, h, "lane-1")
	g.follows()
	g.start(h)
	g.heard(1)
	first := publishPolicy(t, h, PolicyOrder{By: "N. N.", Policy: testPolicy()}).Policy.Ver
	d := g.document(wire.TypePolicy, 0)
	p, err := wire.Decode[wire.Policy](d.Payload)
	if err != nil || d.Ver != first || p.Ver != first || p.Check() != nil || strings.Contains(string(d.Signed), "N. N.") {
		t.Fatalf("%+v, %v", p, err)
	}
	second := publishPolicy(t, h, PolicyOrder{By: "N. N.", Policy: testPolicy()}).Policy.Ver
	if second <= first {
		t.Fatalf("version %d after %d", second, first)
	}
	g.document(wire.TypePolicy, first)
	h.stop()
	h.start() // it is durable
	late := newGate(t, h, "lane-2")
	late.follows()
	late.start(h)
	if d := late.document(wire.TypePolicy, 0); d.Ver != second {
		t.Fatalf("a late gate has %d, want %d", d.Ver, second)
	}
}

func TestDriftIsShown(t *testing.T) {
	p := wire.Policy{Ver: 7, Models: []wire.Hash{{1}, {2}}}
	for name, tc := range map[string]struct {
		state wire.State
		want  []string
	}{
		"none":         {wire.State{Policy: 7, Officers: 3, Models: wire.Hash{2}.String()[:modelsSaid]}, nil},
		"old policy":   {wire.State{Policy: 6, Officers: 3, Models: wire.Hash{1}.String()[:modelsSaid]}, []string{"policy"}},
		"old officers": {wire.State{Policy: 7, Officers: 2, Models: wire.Hash{1}.String()[:modelsSaid]}, []string{"officers"}},
		"other models": {wire.State{Policy: 7, Officers: 3, Models: wire.Hash{9}.String()[:modelsSaid]}, []string{"models"}},
		"says nothing": {wire.State{}, []string{"policy", "officers", "models"}},
	} {
		if got := drift(tc.state, p, 3); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
	if got := drift(wire.State{Models: "any"}, wire.Policy{}, 0); len(got) != 0 {
		t.Errorf("without a policy: %v", got)
	}
}

func TestPoliciesRefused(t *testing.T) {
	h := newHQ(t)
	h.start()
	laxer := testPolicy()
	laxer.CacheMaxAge = 73 * 3600
	for name, o := range map[string]PolicyOrder{
		"nobody publishes": {Policy: testPolicy()},
		"laxer than rules": {By: "N. N.", Policy: laxer},
		"empty":            {By: "N. N."},
	} {
		if _, err := ask[PolicyReport](t, h, "POST", "/policy", o); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r, err := ask[PolicyReport](t, h, "GET", "/policy", nil); err != nil || r.Policy != nil {
		t.Fatalf("%+v, %v", r, err)
	}
}

func officerKey(t *testing.T) []byte {
	t.Helper()
	pub, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func officer(t *testing.T, id string) OfficerOrder {
	t.Helper()
	return OfficerOrder{
		By: "N. N.", ID: id, Key: officerKey(t), Acts: []string{wire.ActOverride}, Crossings: []string{"HNG1"}, NotAfter: time.Now().Add(time.Hour),
	}
}

func TestOfficersAreAddedReplacedAndRemoved(t *testing.T) {
	h := newHQ(t)
	h.start()
	g := newGate(t, h, "lane-1")
	g.follows()
	g.start(h)
	var ver uint64
	var keys []string
	for _, o := range []OfficerOrder{officer(t, "o-1"), officer(t, "o-2"), officer(t, "o-1"), {By: "N. N.", ID: "o-2", Remove: true}} {
		r, err := ask[OfficerReport](t, h, "POST", "/officers", o)
		if err != nil || r.Version <= ver {
			t.Fatalf("%+v, %v", r, err)
		}
		ver = r.Version
		keys = append(keys, r.Officers[0].Kid)
	}
	if keys[0] != keys[1] || keys[1] == keys[2] {
		t.Fatalf("o-1's keys: %v", keys)
	}
	d := g.document(wire.TypeOfficers, ver-1)
	l, err := wire.Decode[wire.Officers](d.Payload)
	if err != nil || l.Check() != nil || len(l.Officers) != 1 || l.Officers[0].Kid() != keys[3] || l.Officers[0].May(wire.ActMode, "HNG1") {
		t.Fatalf("%+v, %v", l, err)
	}
}

func TestOfficersRefused(t *testing.T) {
	h := newHQ(t)
	h.start()
	for name, change := range map[string]func(*OfficerOrder){
		"nobody certifies": func(o *OfficerOrder) { o.By = "" },
		"a name":           func(o *OfficerOrder) { o.ID = "Nguyen Van A" },
		"no key":           func(o *OfficerOrder) { o.Key = nil },
		"a private key":    func(o *OfficerOrder) { o.Key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}) },
		"over already":     func(o *OfficerOrder) { o.NotAfter = time.Now().Add(-time.Second) },
		"for ever":         func(o *OfficerOrder) { o.NotAfter = time.Now().AddDate(9, 0, 0) },
		"no right":         func(o *OfficerOrder) { o.Acts = nil },
		"unknown right":    func(o *OfficerOrder) { o.Acts = []string{"fly"} },
		"nowhere":          func(o *OfficerOrder) { o.Crossings = nil },
		"remove nobody":    func(o *OfficerOrder) { o.Remove = true },
	} {
		o := officer(t, "o-1")
		change(&o)
		if _, err := ask[OfficerReport](t, h, "POST", "/officers", o); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
