package app

import (
	"context"
	"crypto/x509"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"bordergate/barcode/pass"
	"bordergate/barcode/seal"
	simulated "bordergate/cmd/gatesim/scanner"
	"bordergate/configs"
	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/hal/fitting"
	"bordergate/hal/scanner"
)

// sealed is one pass in both of its forms, and who vouches for it.
type sealed struct {
	trust    *seal.Trust
	raw, idb []byte
}

func sealPass(t *testing.T, edit func(*pass.Pass)) sealed {
	t.Helper()
	now := time.Now()
	a, err := seal.NewAuthority(seal.AuthorityOptions{Country: "UT", Signer: "GT", Serial: 1, NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(48 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	p := pass.Pass{
		Number: "X1", Type: pass.TypeBorderPass, Name: "Mẫu", NameMRZ: "MAU", Birth: time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), Account: "A1",
		ValidFrom: now.UTC().Truncate(day).Add(-day), ValidTo: now.UTC().Truncate(day).Add(30 * day), Crossings: []string{"HNG1"}, Directions: pass.Exit,
	}
	if edit != nil {
		edit(&p)
	}
	features, err := p.Features()
	if err != nil {
		t.Fatal(err)
	}
	h, err := seal.NewHeader(a.Signer, "UTO", now.Add(-day), now.Add(-day))
	if err != nil {
		t.Fatal(err)
	}
	s := sealed{trust: seal.NewTrust([]*x509.Certificate{a.CA, a.Signer}, seal.TrustOptions{})}
	if s.raw, err = seal.Sign(pass.Header(h), features, a.SignerKey); err != nil {
		t.Fatal(err)
	}
	text, err := seal.SignText(pass.Header(h), features, a.SignerKey, a.Signer, seal.TextOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.idb = []byte(text)
	return s
}

// scanRig is a lane whose only reader of passes is a real scanner driver on
// the wire of a simulated scanner; the document camera is away.
type scanRig struct {
	passes
	device *simulated.Scanner
	reader *passScanner
	lane   *gate.Lane

	read   chan gate.Claim // every payload that reached the seals
	ends   chan gate.View
	light  chan bool
	posted chan struct{} // the scanner told the lane something
}

func newScanRig(t *testing.T, s sealed, conf configs.Scanner, o simulated.Options, reading time.Duration) *scanRig {
	t.Helper()
	r := &scanRig{
		passes: passes{trust: func() *seal.Trust { return s.trust }}, read: make(chan gate.Claim, 64), ends: make(chan gate.View, 64), light: make(chan bool, 256), posted: make(chan struct{}, 256),
	}
	o.Link = filepath.Join(t.TempDir(), "scanner")
	o.OnLight = func(on bool) { r.light <- on }
	var err error
	if r.device, err = simulated.New(o); err != nil {
		t.Skipf("this machine has no pty: %v", err)
	}
	t.Cleanup(func() {
		if err := r.device.Close(); err != nil {
			t.Error(err)
		}
	})
	conf.Port = o.Link
	so, err := fitting.Scanner(conf, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	dev, err := scanner.New(so)
	if err != nil {
		t.Fatal(err)
	}
	r.reader = &passScanner{dev: dev, log: slog.New(slog.DiscardHandler), post: func(in gate.Input) {
		r.lane.Post(in)
		r.posted <- struct{}{}
	}}
	times := gate.DefaultTimes()
	times.SelfTest, times.Reading = 50*time.Millisecond, reading
	r.lane, err = gate.NewLane(gate.Options{
		Policy: gate.Policy{Crossing: "HNG1", Direction: gate.DirExit, PassTypes: passRules(), CacheMaxAge: time.Hour},
		Times:  times, Passes: r, Accounts: r, Register: r, References: references{}, Matcher: r, Tracker: newFollower(0.3), Recorder: r, Turnstile: r,
		Eyes: senses{nil, r.reader}, Screen: r, Clock: r, Mono: monoNow,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	for _, serve := range []func(context.Context) error{dev.Serve, func(ctx context.Context) error { return r.reader.serveEvents(ctx, nil) }, r.lane.Serve} {
		ended.Go(func() { _ = serve(ctx) }) // ends with ctx
	}
	t.Cleanup(func() { stop(); ended.Wait() })
	at := monoNow()
	for _, in := range []gate.Input{
		gate.Start(at), gate.TurnstileUp(at, true), gate.EmergencyInput(at, gate.Off), gate.Obstruction(at, gate.Off), gate.CameraUp(at, gate.FaceCamera, true),
	} {
		r.lane.Post(in)
	}
	r.waitOnline(t, true)
	return r
}

// waitOnline waits until the lane was told that the scanner is there, or away.
func (r *scanRig) waitOnline(t *testing.T, want bool) {
	t.Helper()
	limit := time.After(10 * time.Second)
	for r.reader.device().OK != want {
		select {
		case <-r.posted:
		case <-limit:
			t.Fatalf("scanner %+v", r.reader.device())
		}
	}
}

func (r *scanRig) Read(payload []byte, at time.Time) gate.Claim {
	c := r.passes.Read(payload, at)
	r.read <- c
	return c
}
func (r *scanRig) Look(string) gate.Account            { return gate.Account{Issued: time.Now()} }
func (r *scanRig) Watched(gate.Pass) (on, ok bool)     { return false, true }
func (r *scanRig) CatchingUp() bool                    { return false }
func (r *scanRig) Pass(string) gate.PassState          { return gate.PassState{} }
func (r *scanRig) Moved(string, gate.Direction, int64) {}
func (r *scanRig) Stamped(string, int64)               {}
func (r *scanRig) Unsure(string)                       {}
func (r *scanRig) Revoke(gate.TxID)                    {}
func (r *scanRig) Wall() (time.Time, gate.ClockTrust, time.Time) {
	return time.Now(), gate.ClockSynced, time.Now()
}

func (r *scanRig) Match([]gate.Face, string, []byte, bool) gate.Match { return gate.Match{} }

func (r *scanRig) Grant(gate.TxID, gate.Direction, time.Duration) error { return nil }

func (r *scanRig) Record(_ gate.Entry, done func(error)) error {
	go done(nil) // as the journal does, from a goroutine of its own
	return nil
}

func (r *scanRig) Show(v gate.View) {
	if v.Finished {
		r.ends <- v
	}
}

func (r *scanRig) claim(t *testing.T) gate.Claim {
	t.Helper()
	select {
	case c := <-r.read:
		return c
	case <-time.After(20 * time.Second):
		t.Fatalf("nothing reached the seals; scanner %+v, health %+v, seen %+v", r.reader.device(), r.reader.dev.Health(), r.device.Counts())
	}
	return gate.Claim{}
}

func (r *scanRig) end(t *testing.T, want ...reason.Reason) {
	t.Helper()
	select {
	case v := <-r.ends:
		if !slices.Equal(v.Reasons, want) {
			t.Fatalf("ended for %v, want %v", v.Reasons, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the transaction does not end")
	}
}

// dark waits until the scanner was told to switch its light off, after on.
func (r *scanRig) dark(t *testing.T) {
	t.Helper()
	lit, limit := false, time.After(20*time.Second)
	for {
		select {
		case on := <-r.light:
			if lit && !on {
				return
			}
			lit = lit || on
		case <-limit:
			t.Fatal("the light is not switched on and off")
		}
	}
}

func honeywell() configs.Scanner {
	return configs.Scanner{Dialect: "honeywell", Baud: 115200, Framing: "suffix", AIM: true}
}

func TestScannedPassReachesTheLaneWithoutACamera(t *testing.T) {
	s := sealPass(t, nil)
	raw := honeywell()
	raw.Framing = "idle"
	cases := []struct {
		name   string
		conf   configs.Scanner
		suffix string
		before []simulated.Code // that are no pass
		code   simulated.Code
	}{
		{"IDB text", honeywell(), "\r", nil, simulated.Code{AIM: "]Q1", Payload: s.idb}},
		{"raw VDS without a suffix", raw, "", nil, simulated.Code{AIM: "]Q1", Payload: s.raw}},
		{"truncated, then whole", honeywell(), "\r", nil, simulated.Code{AIM: "]Q1", Payload: s.idb, Cut: 100}},
		{
			"another code first", honeywell(), "\r",
			[]simulated.Code{{AIM: "]E0", Payload: []byte("8934567890123")}},
			simulated.Code{AIM: "]d1", Payload: s.idb},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := simulated.DefaultOptions()
			o.Suffix = c.suffix
			r := newScanRig(t, s, c.conf, o, 15*time.Second)
			r.lane.Post(gate.Presence(monoNow(), gate.On))
			for _, b := range c.before {
				r.device.Present(b)
				if got := r.claim(t); got.Fault != reason.PassFormat {
					t.Fatalf("claim %+v of no pass", got)
				}
			}
			r.device.Present(c.code)
			if got := r.claim(t); got.Fault != 0 || got.Pass.Number != "X1" || got.Pass.Account != "A1" {
				t.Fatalf("claim %+v", got)
			}
			r.end(t, reason.AccountUnknown)
			r.dark(t)
			if n := len(r.read); n != 0 {
				t.Errorf("%d payloads more reached the seals", n)
			}
		})
	}
}

// TestBothReadersAwayRefers, and the scanner serves again when it is back.
func TestBothReadersAwayRefers(t *testing.T) {
	s := sealPass(t, nil)
	r := newScanRig(t, s, honeywell(), simulated.DefaultOptions(), 3*time.Second)
	r.lane.Post(gate.Presence(monoNow(), gate.On))
	if on := <-r.light; !on {
		t.Fatal("the session begins in the dark")
	}
	if err := r.device.Unplug(); err != nil {
		t.Fatal(err)
	}
	r.waitOnline(t, false)
	if d := r.reader.device(); d.Name != "scanner" || d.Error == "" {
		t.Errorf("status %+v", d)
	}
	r.end(t, reason.DeviceFault)
	r.lane.Post(gate.Presence(monoNow(), gate.Off))
	if err := r.device.Replug(); err != nil {
		t.Fatal(err)
	}
	r.device.Present(simulated.Code{AIM: "]Q1", Payload: s.idb})
	r.waitOnline(t, true)
	r.lane.Post(gate.Presence(monoNow(), gate.On))
	if got := r.claim(t); got.Fault != 0 {
		t.Errorf("claim %+v", got)
	}
	r.end(t, reason.AccountUnknown)
}

func TestScannerOnTheStatusPage(t *testing.T) {
	cfg := goodStation(t)
	cfg.Scanner = honeywell()
	cfg.Scanner.Port = filepath.Join(t.TempDir(), "no-scanner")
	a := New(cfg, slog.New(slog.DiscardHandler))
	defer a.Close()
	if f := a.Faults(); len(f) != 0 {
		t.Fatalf("a scanner that is away is a fault: %+v", f)
	}
	if d := a.Status().Devices; !slices.ContainsFunc(d, func(d Device) bool { return d.Name == "scanner" && !d.OK }) {
		t.Errorf("devices %+v", d)
	}
	cfg = goodStation(t)
	b := New(cfg, slog.New(slog.DiscardHandler))
	defer b.Close()
	if d := b.Status().Devices; slices.ContainsFunc(d, func(d Device) bool { return d.Name == "scanner" }) {
		t.Errorf("a gate without a scanner has %+v", d)
	}
}
