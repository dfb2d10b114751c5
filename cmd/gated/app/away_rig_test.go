package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"bordergate/barcode/pass"
	"bordergate/barcode/seal"
	"bordergate/biometrics"
	hq "bordergate/cmd/hqd/app"
	"bordergate/configs"
	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/hal"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// patience bounds a wait for an event in real time; it is no measurement.
const patience = time.Minute

// holder is a traveller with an account and a pass of his own.
type holder struct {
	account string
	payload []byte
	face    biometrics.Embedding
	ref     []byte
}

// outage is a headquarters that comes and goes, one gate's configuration, and
// those who travel there. Its clock stands still but inside of a bubble of
// synctest, where it goes with the bubble's.
type outage struct {
	t       *testing.T
	cfg     *configs.Gate
	dir     string // headquarters'
	listen  string
	now     time.Time
	mono    int64
	stopHQ  func()
	holders []holder
}

func newOutage(t *testing.T, holders int) *outage {
	t.Helper()
	// An address of its own: while headquarters is away nothing may answer
	// there, not even another test's.
	ln, err := net.Listen("tcp", "127.72.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &outage{t: t, cfg: goodStation(t), dir: t.TempDir(), listen: ln.Addr().String(), mono: int64(hal.Now())}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	identity := filepath.Join(o.dir, "id")
	if o.cfg.HQ.Fingerprint, err = hq.Init(identity); err != nil {
		t.Fatal(err)
	}
	o.cfg.HQ.Broker, o.cfg.HQ.Bundle = "ssl://"+o.listen, hq.BundlePath(identity)
	own, err := vault.LoadIdentity(o.cfg.Paths.Identity)
	if err != nil {
		t.Fatal(err)
	}
	request, err := own.Request()
	if err != nil {
		t.Fatal(err)
	}
	entry, err := hq.AddGate(identity, request)
	if err == nil {
		_, err = vault.InstallCertificate(o.cfg.Paths.Identity, []byte(entry.Certificate))
	}
	if err != nil {
		t.Fatal(err)
	}
	o.now = time.Now()
	o.issue(holders)
	t.Cleanup(func() {
		if o.stopHQ != nil {
			o.stopHQ()
		}
	})
	return o
}

// issue gives everybody a pass that outlasts the test, and the gate the
// certificates for them.
func (o *outage) issue(n int) {
	o.t.Helper()
	a, err := seal.NewAuthority(seal.AuthorityOptions{
		Country: "UT", Signer: "GT", Serial: 1, NotBefore: o.now.Add(-30 * day), NotAfter: o.now.Add(365 * day),
	})
	if err != nil {
		o.t.Fatal(err)
	}
	if err := os.RemoveAll(o.cfg.Trust.Dir); err != nil {
		o.t.Fatal(err)
	}
	if err := os.MkdirAll(o.cfg.Trust.Dir, 0o700); err != nil {
		o.t.Fatal(err)
	}
	for name, der := range map[string][]byte{"ca.der": a.CA.Raw, "signer.der": a.Signer.Raw} {
		if err := os.WriteFile(filepath.Join(o.cfg.Trust.Dir, name), der, 0o600); err != nil {
			o.t.Fatal(err)
		}
	}
	crowd := person(99)
	for i := range n {
		who := person(uint64(i))
		ref, err := testMatcher().model.Enrol(who)
		if err != nil {
			o.t.Fatal(err)
		}
		h := holder{account: fmt.Sprintf("A%d", i), face: view(who, crowd, .6), ref: ref.Bytes()}
		p := pass.Pass{
			Number: fmt.Sprintf("P%d", i), Type: pass.TypeBorderPass, Name: "NGUOI MAU", NameMRZ: "NGUOI<<MAU",
			Birth: time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), Account: h.account,
			ValidFrom: o.now.Add(-day).UTC().Truncate(day), ValidTo: o.now.Add(180 * day).UTC().Truncate(day),
			Crossings: []string{"HNG1"}, Directions: pass.Exit,
		}
		features, err := p.Features()
		if err != nil {
			o.t.Fatal(err)
		}
		head, err := seal.NewHeader(a.Signer, "UTO", o.now.Add(-day), o.now.Add(-day))
		if err != nil {
			o.t.Fatal(err)
		}
		if h.payload, err = seal.Sign(pass.Header(head), features, a.SignerKey); err != nil {
			o.t.Fatal(err)
		}
		o.holders = append(o.holders, h)
	}
}

// startHQ starts the real headquarters, broker and store, at the one address.
func (o *outage) startHQ() {
	o.t.Helper()
	ready := make(chan struct{})
	a, err := hq.New(o.t.Context(), hq.Options{
		Listen: o.cfg.HQ.Broker, Store: filepath.Join(o.dir, "store"), Identity: filepath.Join(o.dir, "id"),
		Control: filepath.Join(o.dir, "hqd.sock"), Simulated: true, HeadEvery: time.Second,
		Ready: func(string) { close(ready) }, Now: func() time.Time { return o.now },
	})
	if err != nil {
		o.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx) }()
	o.stopHQ = func() {
		o.stopHQ = nil
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			o.t.Errorf("headquarters ended: %v", err)
		}
	}
	select {
	case <-ready:
	case <-time.After(patience):
		o.t.Fatal("headquarters does not get ready")
	}
}

// ask gives headquarters an order, as its commands do.
func (o *outage) ask(method, target string, order any) []byte {
	o.t.Helper()
	var out bytes.Buffer
	if err := hq.NewClient(filepath.Join(o.dir, "hqd.sock")).Do(o.t.Context(), method, target, order, &out); err != nil {
		o.t.Fatal(err)
	}
	return out.Bytes()
}

// enrol has headquarters know everybody.
func (o *outage) enrol() {
	o.t.Helper()
	var list []map[string]any
	for _, h := range o.holders {
		list = append(list, map[string]any{"id": h.account, "level": 2, "kind": wire.KindCitizen, "model": "m", "reference": h.ref})
	}
	o.ask("POST", "/accounts", list)
}

func (o *outage) suspend(h holder) {
	o.t.Helper()
	o.ask("POST", "/decide", hq.Order{
		Action: wire.ActionSuspend, Account: h.account, By: "N. N.", Role: wire.DeciderCommander, Ground: wire.GroundSecurity,
	})
}

// held lists what headquarters holds of the gate's stream.
func (o *outage) held(s wire.Stream) []journal.Line {
	o.t.Helper()
	var out []journal.Line
	for d := json.NewDecoder(bytes.NewReader(o.ask("GET", "/records?gate=lane-1&stream="+s.String(), nil))); d.More(); {
		var l journal.Line
		if err := d.Decode(&l); err != nil {
			o.t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

// stand is the running daemon without its devices: they are played.
type stand struct {
	*App
	t      *testing.T
	watch  chan uint32
	views  chan gate.View
	caught chan bool // each change of catching up
	end    func()
}

// run opens and runs the daemon's own parts on the clocks given. Synced is the
// kernel's word on its clock.
func (o *outage) run(now func() time.Time, mono func() int64, synced func() bool) *stand {
	o.t.Helper()
	s := &stand{t: o.t, watch: make(chan uint32, 8), views: make(chan gate.View, 256), caught: make(chan bool, 64)}
	log := slog.New(onCatching{slog.DiscardHandler, s.caught})
	s.App = &App{cfg: o.cfg, log: log, hub: newHub(mono), clock: newWallClock(time.Time{}), mono: mono, modes: newModes(mono), matcher: testMatcher()}
	s.clock.now, s.clock.read = now, synced
	var err error
	for _, step := range []func() error{s.openIdentity, s.openJournal, s.openAccounts, s.openHQ, func() error { return s.believer.load() }} {
		if err = errors.Join(err, step()); err != nil {
			o.t.Fatal(err)
		}
	}
	s.run("trust store", s.believer.serve)
	lane := s.laneOptions()
	lane.Turnstile, lane.Eyes, lane.Screen = s, eyesOf{s}, s
	if s.lane, err = gate.NewLane(lane); err != nil {
		o.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	s.end = func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			o.t.Errorf("the gate ended: %v", err)
		}
		if err := errors.Join(s.journal.Verify(), s.Close()); err != nil {
			o.t.Error(err)
		}
	}
	for _, in := range []gate.Input{
		gate.TurnstileUp(mono(), true), gate.EmergencyInput(mono(), gate.Off), gate.Obstruction(mono(), gate.Off),
		gate.Presence(mono(), gate.Off), gate.CameraUp(mono(), gate.DocumentCamera, true), gate.CameraUp(mono(), gate.FaceCamera, true),
	} {
		s.post(in)
	}
	return s
}

// cross brings one traveller to the gate and tells how he ended.
func (s *stand) cross(h holder) gate.View {
	s.t.Helper()
	s.post(gate.Presence(s.mono(), gate.On))
	session := next(s.t, "the cameras to be asked", s.watch)
	for range 5 {
		s.post(gate.FaceSeen(s.mono(), session, gate.Face{
			FrameAt: s.mono(), Count: 1, Box: [4]float32{500, 200, 200, 240}, Usable: true, Norm: 3.8, Embedding: slices.Clone(h.face),
			LiveDone: true, Live: gate.LiveCues{MS27: 3, SQ15: 3},
		}))
	}
	s.post(gate.Symbol(s.mono(), session, s.mono(), h.payload))
	var end gate.View
	for !end.Finished {
		end = next(s.t, "the end of a transaction", s.views)
	}
	if end.Outcome != reason.Admitted {
		s.post(gate.Presence(s.mono(), gate.Off))
	}
	for v := end; v.State != gate.Ready; {
		v = next(s.t, "the lane to be ready again", s.views)
	}
	return end
}

// kept lists what the gate's journal holds of a stream.
func (s *stand) kept(stream wire.Stream) (out []journal.Line) {
	s.t.Helper()
	raws, err := s.journal.Tail(stream, 10_000)
	for _, raw := range raws {
		var l journal.Line
		if l, err = journal.NewLine(raw, nil); err != nil {
			break
		}
		out = append(out, l)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// next is the next event of a channel. In a bubble the bound is one of the
// bubble's time.
func next[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
	return v
}

// Grant implements gate.Turnstile: he walks through at once.
func (s *stand) Grant(id gate.TxID, _ gate.Direction, _ time.Duration) error {
	go func() {
		s.post(gate.GrantAccepted(s.mono(), id))
		s.post(gate.PassageStarted(s.mono(), id))
		s.post(gate.Presence(s.mono(), gate.Off))
		s.post(gate.PassageCompleted(s.mono(), id, gate.DirExit))
	}()
	return nil
}

// Revoke implements gate.Turnstile.
func (s *stand) Revoke(gate.TxID) {}

// Show implements gate.Screen.
func (s *stand) Show(v gate.View) {
	s.hub.Show(v)
	s.views <- v
}

// eyesOf plays the cameras.
type eyesOf struct{ s *stand }

func (e eyesOf) Watch(session uint32) { e.s.watch <- session }
func (eyesOf) Again(uint32)           {}
func (eyesOf) Hold()                  {}
func (eyesOf) Stop()                  {}

// onCatching is a log that tells when catching up begins and ends.
type onCatching struct {
	slog.Handler
	to chan bool
}

func (h onCatching) Enabled(context.Context, slog.Level) bool { return true }
func (h onCatching) WithAttrs([]slog.Attr) slog.Handler       { return h }

func (h onCatching) Handle(_ context.Context, r slog.Record) error {
	if r.Message == logCatchingUp {
		r.Attrs(func(a slog.Attr) bool {
			h.to <- a.Value.Bool()
			return true
		})
	}
	return nil
}
