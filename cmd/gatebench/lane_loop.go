package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"bordergate/gate"
	"bordergate/hal"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// goalLoop is what was asked for of the lane's loop, ms at the 99th percentile.
const goalLoop = 2.0

// laneLoop measures the lane's own time: from an input to what it does about
// it. The lane is gated's, its records go to a real journal on the disk, and
// everything around it is busy.
type laneLoop struct {
	travellers int
	every      time.Duration
}

func (s *laneLoop) flags(fs *flag.FlagSet) {
	fs.IntVar(&s.travellers, "loop-travellers", 1000, "travellers, of whom every fourth is suspended after his grant")
	fs.DurationVar(&s.every, "loop-every", 60*time.Millisecond, "a traveller's time")
}

func (s *laneLoop) measure(ctx context.Context, o syncOptions, out, progress io.Writer) ([]row, bool, error) {
	dir, err := folder(o, "loop")
	if err != nil {
		return nil, false, err
	}
	st, err := newLaneStage(dir)
	if err != nil {
		return nil, false, err
	}
	fmt.Fprintf(progress, "bench: %d travellers through the lane's loop\n", s.travellers)
	running, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = st.lane.Serve(running) }) // ends with its context
	wg.Go(func() { st.devices(running) })
	err = st.walkAll(ctx, s.travellers, s.every)
	stop()
	wg.Wait()
	if err = errors.Join(err, st.journal.Close(), os.RemoveAll(dir)); err != nil {
		return nil, false, err
	}
	fmt.Fprintf(out, "\nthe lane's loop with every device busy, %d inputs beside, ms %8s %8s %8s %8s\n", st.beside.Load(), "n", "p50", "p99", "max")
	for _, v := range []struct {
		name string
		list []float64
	}{{"input to action", st.acted}, {"of that, pass to record and record to grant", st.admitted}, {"of that, suspension to withdrawal", st.withdrew}, {"awaited: the record on the disk", st.disk}} {
		fmt.Fprintf(out, "%-62s %8d %8.3f %8.3f %8.3f\n", v.name, len(v.list), quantile(v.list, .5), quantile(v.list, .99), quantile(v.list, 1))
	}
	p99 := quantile(st.acted, .99)
	return []row{
		{Name: "lane: event in to action out p50", Value: quantile(st.acted, .5), Unit: "ms", OK: true},
		{Name: "lane: event in to action out p99", Value: p99, Unit: "ms", Goal: fmt.Sprintf("<= %.0f", goalLoop), OK: p99 <= goalLoop},
		{Name: "lane: event in to action out max", Value: quantile(st.acted, 1), Unit: "ms", OK: true},
		{Name: "lane: record awaited on the disk p50", Value: quantile(st.disk, .5), Unit: "ms", OK: true},
		{Name: "lane: record awaited on the disk p99", Value: quantile(st.disk, .99), Unit: "ms", OK: true},
	}, s.travellers >= 1000, nil
}

// laneStage is all that stands around the lane.
type laneStage struct {
	lane    *gate.Lane
	journal *journal.Journal

	told      chan moment // what the lane does, in order
	session   atomic.Uint32
	suspended atomic.Bool
	beside    atomic.Int64 // inputs of the devices

	acted, admitted, withdrew, disk []float64 // ms
}

// moment is something that the lane did, or that the disk has.
type moment struct {
	what string
	at   time.Time
	tx   gate.TxID
}

func newLaneStage(dir string) (*laneStage, error) {
	const name = "bench"
	id, err := vault.NewIdentity(filepath.Join(dir, "identity"), name)
	if err != nil {
		return nil, err
	}
	v, err := vault.Open(filepath.Join(dir, "vault"), id.Master)
	if err != nil {
		return nil, err
	}
	st := &laneStage{told: make(chan moment, 1024)}
	if st.journal, err = journal.Open(journal.Options{Path: filepath.Join(dir, "journal.db"), Gate: name, Vault: v, Simulated: true}); err != nil {
		return nil, err
	}
	st.lane, err = gate.NewLane(gate.Options{
		Policy: gate.Policy{
			Crossing: "HNG1", Direction: gate.DirExit, CacheMaxAge: time.Hour, PassTypes: map[string]gate.PassRule{"border_pass": {Level: 2}},
		},
		Times: gate.DefaultTimes(), Passes: st, Accounts: st, Register: st, References: st, Matcher: st, Tracker: st, Recorder: st,
		Turnstile: st, Eyes: st, Screen: st, Clock: st, Mono: func() int64 { return int64(hal.Now()) },
	})
	return st, err
}

func (st *laneStage) tell(what string, tx gate.TxID) {
	select {
	case st.told <- moment{what, time.Now(), tx}:
	default: // nobody waits for it
	}
}

// What the lane asks and does.

// Read is a pass that is right, or a code that is none.
func (st *laneStage) Read(p []byte, at time.Time) gate.Claim {
	return gate.Claim{Pass: gate.Pass{
		Number: string(p), Type: "border_pass", Account: string(p), Crossings: []string{"HNG1"}, Directions: []gate.Direction{gate.DirExit},
		ValidFrom: at.Add(-time.Hour), ValidTo: at.Add(time.Hour),
	}}
}

// Look is an active account but for the moment of a suspension.
func (st *laneStage) Look(string) gate.Account {
	a := gate.Account{Status: gate.AccountActive, Level: 2, Model: "m", Reference: reference, Issued: time.Now()}
	if st.suspended.Load() {
		a.Status = gate.AccountSuspended
	}
	return a
}

const dimensions = 512

var reference = make([]byte, 2*dimensions)

func (st *laneStage) CatchingUp() bool                    { return false }
func (st *laneStage) Watched(gate.Pass) (on, ok bool)     { return false, true }
func (st *laneStage) Pass(string) gate.PassState          { return gate.PassState{} }
func (st *laneStage) Moved(string, gate.Direction, int64) {}
func (st *laneStage) Stamped(string, int64)               {}
func (st *laneStage) Unsure(string)                       {}
func (st *laneStage) Fits(string) bool                    { return true }
func (st *laneStage) Open(gate.Pass) []byte               { return nil }

// Match compares every frame so far, as gated's matcher does.
func (st *laneStage) Match(faces []gate.Face, _ string, _ []byte, _ bool) gate.Match {
	sum := 0.0
	for _, f := range faces {
		for i, x := range f.Embedding {
			sum += float64(x) * math.Sqrt(float64(i))
		}
	}
	if len(faces) < 3 {
		return gate.Match{}
	}
	return gate.Match{Similarity: gate.Same, Liveness: gate.LiveYes, Score: min(sum, .7), Frames: len(faces), Model: "m"}
}

func (st *laneStage) Begin()                      {}
func (st *laneStage) Follow(gate.Face) gate.Sight { return gate.SightKept }
func (st *laneStage) Hold()                       {}
func (st *laneStage) Present(int64) bool          { return true }
func (st *laneStage) Watch(session uint32)        { st.session.Store(session); st.tell("watch", gate.TxID{}) }
func (st *laneStage) Again(uint32)                {}
func (st *laneStage) Stop()                       {}
func (st *laneStage) Wall() (time.Time, gate.ClockTrust, time.Time) {
	return time.Now(), gate.ClockSynced, time.Time{}
}

func (st *laneStage) Show(v gate.View) {
	if v.State == gate.Ready && !v.Finished {
		st.tell("ready", v.Tx)
	}
}

func (st *laneStage) Record(e gate.Entry, done func(error)) error {
	st.tell("record "+e.Kind, e.Tx)
	d := journal.Draft{
		Stream: wire.StreamCrossing, Kind: e.Kind, Public: e.Public, Personal: []byte(`{"pass_number":"P000000000000"}`), Class: vault.ClassCrossing,
	}
	return st.journal.AppendAsync(d, func(_ journal.Position, err error) {
		st.tell("durable "+e.Kind, e.Tx)
		done(err)
	})
}

func (st *laneStage) Grant(id gate.TxID, _ gate.Direction, _ time.Duration) error {
	st.tell("grant", id)
	return nil
}

func (st *laneStage) Revoke(id gate.TxID) { st.tell("revoke", id) }

// devices are cameras, scanner, board and cache at work: faces and codes at 25
// a second each, levels at every poll, accounts that change.
func (st *laneStage) devices(ctx context.Context) {
	now := func() int64 { return int64(hal.Now()) }
	var wg sync.WaitGroup
	every := func(pause time.Duration, input func(n int) gate.Input) {
		wg.Go(func() {
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					st.beside.Add(1)
					st.lane.Post(input(n))
				}
			}
		})
	}
	every(40*time.Millisecond, func(int) gate.Input { return st.face() })
	every(40*time.Millisecond, func(n int) gate.Input { return gate.DocumentSeen(now(), st.session.Load()) })
	every(20*time.Millisecond, func(int) gate.Input { return gate.EmergencyInput(now(), gate.Off) })
	every(20*time.Millisecond, func(int) gate.Input { return gate.Obstruction(now(), gate.Off) })
	every(20*time.Millisecond, func(n int) gate.Input { return gate.ScannerUp(now(), n%2 == 0) })
	every(20*time.Millisecond, func(n int) gate.Input { return gate.AccountChanged(now(), fmt.Sprintf("A%d", n)) })
	every(100*time.Millisecond, func(int) gate.Input { return gate.AccountChanged(now(), "") })
	every(100*time.Millisecond, func(int) gate.Input { return gate.JournalRoom(now(), true) })
	wg.Wait()
}

func (st *laneStage) face() gate.Input {
	now := int64(hal.Now())
	return gate.FaceSeen(now, st.session.Load(), gate.Face{FrameAt: now, Count: 1, Usable: true, Norm: 1, Embedding: make([]float32, dimensions)})
}

// next waits until the lane has done something.
func (st *laneStage) next(ctx context.Context, what string) (moment, error) {
	t := time.NewTimer(20 * time.Second)
	defer t.Stop()
	for {
		select {
		case m := <-st.told:
			if m.what == what {
				return m, nil
			}
		case <-t.C:
			return moment{}, fmt.Errorf("the lane did not come to %q", what)
		case <-ctx.Done():
			return moment{}, ctx.Err()
		}
	}
}

// walkAll sends travellers through, one at a time.
func (st *laneStage) walkAll(ctx context.Context, count int, every time.Duration) error {
	st.lane.Post(gate.Start(int64(hal.Now())))
	at := int64(hal.Now())
	for _, in := range []gate.Input{
		gate.TurnstileUp(at, true), gate.EmergencyInput(at, gate.Off), gate.Obstruction(at, gate.Off), gate.Presence(at, gate.Off),
		gate.CameraUp(at, gate.DocumentCamera, true), gate.CameraUp(at, gate.FaceCamera, true),
	} {
		st.lane.Post(in)
	}
	if _, err := st.next(ctx, "ready"); err != nil {
		return err
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := range count {
		if err := st.walk(ctx, fmt.Sprintf("P%012d", n), n%4 == 3); err != nil {
			return fmt.Errorf("traveller %d: %w", n, err)
		}
		<-tick.C
	}
	return nil
}

// walk is one traveller, who passes or is suspended after his grant.
func (st *laneStage) walk(ctx context.Context, number string, suspend bool) error {
	now := func() int64 { return int64(hal.Now()) }
	for len(st.told) > 0 {
		<-st.told // of the traveller before
	}
	st.lane.Post(gate.Presence(now(), gate.On))
	if _, err := st.next(ctx, "watch"); err != nil {
		return err
	}
	for range 3 {
		st.lane.Post(st.face())
	}
	shown := time.Now()
	st.lane.Post(gate.Symbol(now(), st.session.Load(), now(), []byte(number)))
	var at [3]moment
	for i, what := range []string{"record decision", "durable decision", "grant"} {
		var err error
		if at[i], err = st.next(ctx, what); err != nil {
			return err
		}
	}
	st.disk = append(st.disk, millis(at[1].at.Sub(at[0].at)))
	own := millis(at[0].at.Sub(shown) + at[2].at.Sub(at[1].at))
	st.admitted, st.acted = append(st.admitted, own), append(st.acted, own)
	tx := at[2].tx
	st.lane.Post(gate.GrantAccepted(now(), tx))
	if suspend {
		st.suspended.Store(true)
		decided := time.Now()
		st.lane.Post(gate.AccountChanged(now(), number))
		m, err := st.next(ctx, "revoke")
		st.suspended.Store(false)
		if err != nil {
			return err
		}
		// Another change may have been looked at just before this one was told.
		own := millis(max(0, m.at.Sub(decided)))
		st.withdrew, st.acted = append(st.withdrew, own), append(st.acted, own)
	} else {
		st.lane.Post(gate.PassageStarted(now(), tx))
	}
	st.lane.Post(gate.Presence(now(), gate.Off))
	st.lane.Post(gate.PassageCompleted(now(), tx, gate.DirExit)) // of no grant after a withdrawal
	st.lane.Post(gate.Obstruction(now(), gate.Off))
	_, err := st.next(ctx, "ready")
	return err
}

func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
