package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bordergate/sync/link"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// TestGateComesByTLS: records, acknowledgements, a suspension and the return
// of headquarters, all through TLS with certificates at both ends.
func TestGateComesByTLS(t *testing.T) {
	h := newSecureHQ(t)
	h.start()
	enrol(t, h, "a1")
	g := newGate(t, h, "lane-1")
	g.start(h)
	until(t, "the end of catching up", g.catching, false)
	g.cross(40)
	g.out.waitAcked(t, 40)
	decide(t, h, "a1", suspension)
	for statusOf(t, g, "a1") != wire.StatusSuspended {
		<-g.changed
	}
	h.stop()
	g.cross(10)
	h.start()
	g.out.waitAcked(t, 50)
	onceEach(t, recordsOf(t, h, "lane-1", false), 50)
}

// refused starts a gate and waits until its link says why it has no
// connection, with a cure.
func (g *gateRig) refused(h *hqRig, broker, why, cure string) {
	g.t.Helper()
	g.startAt(h, broker)
	limit := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		s := g.link.Status()
		if strings.Contains(s.Error, why) && strings.Contains(s.Hint, cure) {
			break
		}
		select {
		case <-tick.C:
		case <-limit:
			g.t.Fatalf("the link says %q, hint %q; want %q, %q", s.Error, s.Hint, why, cure)
		}
	}
	g.stop()
}

func TestRefusalsNameTheirCure(t *testing.T) {
	h, other := newSecureHQ(t), newSecureHQ(t)
	_, port, _ := strings.Cut(h.listen, ":")
	h.listen = "0.0.0.0:" + port // so that it can be called by a name it does not have
	h.start()
	other.start()
	address := "ssl://127.0.0.1:" + port

	t.Run("clock behind", func(t *testing.T) {
		g := newGate(t, h, "clock-behind")
		g.now = func() time.Time { return time.Date(1970, 1, 1, 0, 0, 5, 0, time.UTC) }
		g.refused(h, address, "expired or is not yet valid", "1970-01-01 00:00 UTC: set the clock")
	})
	t.Run("out of time", func(t *testing.T) {
		g := newGate(t, h, "out-of-time")
		g.now = func() time.Time { return time.Now().Add(brokerLife + time.Hour) }
		g.refused(h, address, "expired", "the certificate ended on")
	})
	t.Run("gate's certificate out of time", func(t *testing.T) {
		g := newGate(t, h, "own-out-of-time")
		g.certify(h.app, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
		g.refused(h, address, "expired", "hqd gate renew")
	})
	t.Run("another headquarters", func(t *testing.T) {
		g := newGate(t, h, "another-hq")
		g.refused(h, other.address(), "unknown authority", "not of the authority that hq.json vouches for")
	})
	t.Run("certificate of another headquarters", func(t *testing.T) {
		g := newGate(t, h, "another-ca")
		g.certify(other.app, time.Now(), time.Now().Add(time.Hour))
		g.refused(h, address, "unknown authority", "")
	})
	t.Run("host name", func(t *testing.T) {
		g := newGate(t, h, "host-name")
		g.refused(h, "ssl://127.0.0.2:"+port, "127.0.0.2", "names in hq.yaml")
	})
	t.Run("no certificate", func(t *testing.T) {
		g := newGate(t, h, "no-certificate")
		if err := os.Remove(filepath.Join(g.dir, "id", "tls.crt")); err != nil {
			t.Fatal(err)
		}
		g.refused(h, address, "gate has no certificate", "hqd gate add")
	})
	t.Run("retired", func(t *testing.T) {
		g := newGate(t, h, "retired")
		if _, err := ask[GateEntry](t, h, "POST", "/gates/retire", []byte("retired")); err != nil {
			t.Fatal(err)
		}
		g.refused(h, address, "not Authorized", "retired this gate")
	})
}

// certify gives the gate a certificate that headquarters would not give.
func (g *gateRig) certify(by *App, from, until time.Time) {
	g.t.Helper()
	der, err := by.id.authority.certify(g.id.Gate, g.id.TLS.Public(), from, until, x509.ExtKeyUsageClientAuth, nil)
	if err == nil {
		_, err = vault.InstallCertificate(filepath.Join(g.dir, "id"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

// TestRetiredGateIsThrownOut: at once, in the middle of a connection.
func TestRetiredGateIsThrownOut(t *testing.T) {
	h := newSecureHQ(t)
	h.start()
	g := newGate(t, h, "lane-1")
	g.start(h)
	until(t, "the way to headquarters", g.online, true)
	if _, err := ask[GateEntry](t, h, "POST", "/gates/retire", []byte("lane-1")); err != nil {
		t.Fatal(err)
	}
	until(t, "the way to close", g.online, false)
	g.stop()
	g.refused(h, h.address(), "not Authorized", "retired this gate")
}

// TestCertificateIsRenewed: the same key signed again, and then another key,
// both while the gate goes on with the old one.
func TestCertificateIsRenewed(t *testing.T) {
	h := newSecureHQ(t)
	h.start()
	g := newGate(t, h, "lane-1")
	comes := func() {
		t.Helper()
		g.start(h)
		until(t, "the way to headquarters", g.online, true)
		g.stop()
	}
	again, err := ask[GateEntry](t, h, "POST", "/gates/renew", []byte("lane-1"))
	if err != nil {
		t.Fatal(err)
	}
	comes()
	dir := filepath.Join(g.dir, "id")
	if _, err := vault.InstallCertificate(dir, []byte(again.Certificate)); err != nil {
		t.Fatal(err)
	}
	comes()
	id, err := vault.RenewTLS(dir)
	if err != nil {
		t.Fatal(err)
	}
	comes()
	request, err := id.Request()
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := ask[GateEntry](t, h, "POST", "/gates", request)
	if err != nil {
		t.Fatal(err)
	}
	comes()
	if _, err := vault.InstallCertificate(dir, []byte(fresh.Certificate)); err != nil {
		t.Fatal(err)
	}
	comes()
	if c, err := certified(fresh.Certificate); err != nil || !id.TLS.PublicKey.Equal(c.PublicKey) {
		t.Fatalf("the new key is not the certified one: %v", err)
	}
}

// TestAuthorityIsRenewed: gates with the old bundle and with the new one meet
// the same authority.
func TestAuthorityIsRenewed(t *testing.T) {
	h := newSecureHQ(t)
	dir := filepath.Join(h.dir, "id")
	before, err := os.ReadFile(BundlePath(dir))
	if err != nil {
		t.Fatal(err)
	}
	g := newGate(t, h, "lane-1")
	b, err := RenewAuthority(dir)
	if err != nil || b.Ver != 2 {
		t.Fatalf("version %d, %v", b.Ver, err)
	}
	h.start()
	for _, raw := range [][]byte{before, nil} {
		if raw != nil {
			g.bundle = raw
		}
		g.start(h)
		until(t, "the way to headquarters", g.online, true)
		g.stop()
		g.bundle = nil
	}
	if err := os.Remove(filepath.Join(dir, keyFile(wire.RoleRoot))); err != nil {
		t.Fatal(err)
	}
	if _, err := RenewAuthority(dir); err == nil || !strings.Contains(err.Error(), "root.key") {
		t.Fatalf("without the root key: %v", err)
	}
}

// spy is a session with a gate's certificate that does as it likes.
func spy(t *testing.T, h *hqRig, g *gateRig, clientID string, filters ...string) *link.Session {
	t.Helper()
	raw, err := os.ReadFile(BundlePath(filepath.Join(h.dir, "id")))
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := wire.ParseBundle(raw, h.fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	var secure *tls.Config
	if secure, err = vault.ClientTLS(filepath.Join(g.dir, "id"), g.id.Gate, bundle, time.Now); err != nil {
		t.Fatal(err)
	}
	s, err := link.New(link.Options{
		Broker: h.address(), TLS: secure, ClientID: clientID, Filters: filters, Backoff: time.Millisecond, MaxBackoff: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

// TestGateHasItsOwnTopicsOnly: a gate's certificate opens nothing of another
// gate's, and not its name at the broker.
func TestGateHasItsOwnTopicsOnly(t *testing.T) {
	h := newSecureHQ(t)
	h.start()
	a, b := newGate(t, h, "lane-a"), newGate(t, h, "lane-b")
	b.start(h)
	until(t, "the way to headquarters", b.online, true)

	for _, filter := range []string{"bordergate/1/dn/lane-b/#", "bordergate/1/up/#", "#", "bordergate/1/dn/+/key"} {
		s := spy(t, h, a, wire.ClientID("lane-a"), filter)
		waitError(t, s, "broker refused")
	}
	s := spy(t, h, a, wire.ClientID("lane-b"))
	waitError(t, s, "not Authorized")

	// What A says in B's name does not come through; what it says after that
	// in its own does.
	own := spy(t, h, a, wire.ClientID("lane-a"), wire.GateFilters("lane-a")...)
	for m := range own.Messages() {
		if m.Kind == link.Ready {
			break
		}
	}
	before := h.app.fleet.gates["lane-b"].countOf(h, "form")
	for _, topic := range []string{wire.Up("lane-b", wire.TypeState), wire.TopicHQ, wire.Up("lane-a", wire.TypeState)} {
		if err := own.Publish(t.Context(), topic, []byte("nonsense"), false); err != nil {
			t.Fatal(err)
		}
	}
	limit := time.After(patience)
	for h.app.fleet.gates["lane-a"].refusals(h) == 0 {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-limit:
			t.Fatal("waited in vain for what the gate says in its own name")
		}
	}
	if n := h.app.fleet.gates["lane-b"].countOf(h, "form"); n != before {
		t.Errorf("%d messages in another gate's name came through", n-before)
	}
	if !b.link.Status().Connected {
		t.Error("the other gate was thrown out")
	}
}

func (g *gateState) countOf(h *hqRig, cause string) uint64 {
	h.app.fleet.mu.Lock()
	defer h.app.fleet.mu.Unlock()
	return g.count[cause]
}

func (g *gateState) refusals(h *hqRig) (n uint64) {
	h.app.fleet.mu.Lock()
	defer h.app.fleet.mu.Unlock()
	for _, c := range g.count {
		n += c
	}
	return n
}

func waitError(t *testing.T, s *link.Session, text string) {
	t.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := s.LastError(); err != nil && strings.Contains(err.Error(), text) {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited in vain for %q; last is %v", text, s.LastError())
		}
	}
}

func TestSubjectsOfFilters(t *testing.T) {
	got := subjects("bordergate/1/dn/lane-1/#", "bordergate/1/hq/state")
	want := []string{"bordergate.1.dn.lane-1", "bordergate.1.dn.lane-1.>", "bordergate.1.hq.state"}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
