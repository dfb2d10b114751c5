package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bordergate/cmd/gatesim/board"
	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/hal"
	"bordergate/hal/fitting"
)

// A stand is a lane that can be broken: the real lane, the barrier, the real
// driver and, at the other end of a real line, the simulated board. Its scanner
// and cameras are real to the wire where a test asks for them (stand_eyes_test.go);
// accounts, journal and clock do what the test says. Whoever has a stand walks
// one traveller after another through it and waits for what the lane shows.

// Contacts of the board.
const (
	standPass        = 1
	standDoor        = 3
	standObstruction = 4
	standEmergency   = 6
	standPresence    = 8
	standStop        = 2 // an output
)

// standLimit is the longest wait of a test: whatever it ends is a fault.
const standLimit = 30 * time.Second

// standOptions are what differs between stands.
type standOptions struct {
	// impatient has the lane's times so short that a test can wait for them; the
	// others must never end a wait, however slow the machine is.
	impatient bool
	// patience is how long such a lane waits; 0: as long as a test can wait.
	patience time.Duration
	// strict has the driver's grants run out soon.
	strict bool
	// passage is how long a grant lives; 0: longer than any test.
	passage time.Duration
	// selfTest is for a lane that is to stay in it.
	selfTest bool
	// cameras and scanner are to be real to the wire.
	cameras, scanner bool
}

type laneStand struct {
	t     testing.TB
	o     standOptions
	board *board.Board
	dev   *standDevice
	lane  *gate.Lane
	book  *standBook
	eyes  standEyes
	clock standClock

	barrier *barrier
	wires   *standWires // nil without cameras and scanner

	views   chan gate.View
	unlocks chan int64
	catchUp atomic.Bool

	mu    sync.Mutex
	trail []gate.State // since the last look
	inway int64        // since when something is between the leaves; 0: nothing
	wrong []string     // what the board was told and must not be
	shown gate.View
	stop  func()
	// slip says that the passage contact may not be seen: he walks on.
	slip     bool
	crossing bool // the passage contact is closed
	// supervised says that an officer confirms.
	supervised bool
	noted      int // entries of the book before the fault
}

// standDevice passes the driver's events on and notes when it is lost.
type standDevice struct {
	hal.Turnstile
	events  chan hal.Event
	offline chan struct{}
}

func (d *standDevice) Events() <-chan hal.Event { return d.events }

func (d *standDevice) pass(ctx context.Context) {
	for {
		select {
		case e := <-d.Turnstile.Events():
			select {
			case d.events <- e:
			case <-ctx.Done():
				return
			}
			if e.Kind == hal.DeviceOffline {
				select {
				case d.offline <- struct{}{}:
				default:
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

func standTimes(o standOptions) gate.Times {
	t := gate.DefaultTimes()
	const never = time.Hour
	t.SelfTest, t.Reading, t.Matching, t.Confirming, t.Deciding, t.Granted, t.Passing, t.Clearing, t.Referred = never, never, never, never, never, never, never, never, never
	t.GrantLife, t.CatchUp, t.Deciding = 5*time.Second, 300*time.Millisecond, 4*time.Second
	t.Referred = time.Second // while he stands there it begins anew
	if o.scanner && !o.selfTest {
		t.SelfTest = 50 * time.Millisecond // it waits for a camera that is not there
	}
	if o.impatient {
		wait := max(o.patience, 1200*time.Millisecond)
		t.Reading, t.Matching = wait, wait
	}
	return t
}

// newStand powers a stand up. Nothing is begun: the lane is closed.
func newStand(t testing.TB, o standOptions) *laneStand {
	t.Helper()
	s := &laneStand{t: t, o: o, views: make(chan gate.View, 1<<14), unlocks: make(chan int64, 1024), book: newStandBook()}
	s.eyes.s = s
	bo := board.DefaultOptions()
	bo.Link, bo.Baud, bo.Turnaround = filepath.Join(t.TempDir(), "barrier"), 0, 0
	bo.OnOutput = s.output
	bo.OnUnlock = func(at int64, _ int) { s.unlocks <- at }
	var err error
	if s.board, err = board.New(bo); err != nil {
		t.Skipf("this machine has no pty: %v", err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	dev, err := fitting.Turnstile(standTurnstile(bo.Link, o), log)
	if err != nil {
		t.Fatal(err)
	}
	s.dev = &standDevice{Turnstile: dev, events: make(chan hal.Event), offline: make(chan struct{}, 64)}
	s.barrier = newBarrier(s.dev, log, func(in gate.Input) { s.lane.Post(in) })
	if o.cameras || o.scanner {
		s.wires = newStandWires(s)
	}
	s.makeLane()
	s.run()
	return s
}

func (s *laneStand) makeLane() {
	var eyes gate.Eyes = &s.eyes
	if s.wires != nil {
		eyes = standBoth{&s.eyes, s.wires}
	}
	lane, err := gate.NewLane(gate.Options{
		Policy: gate.Policy{
			Crossing: "HNG1", Direction: gate.DirExit, PassTypes: map[string]gate.PassRule{"border_pass": {Level: 2}},
			CacheMaxAge: 72 * time.Hour, ClockMargin: clockMargin,
		},
		Times:  standTimes(s.o),
		Passes: s, Accounts: s, Register: s, References: s, Matcher: s, Tracker: newFollower(0.3),
		Recorder: s.book, Turnstile: s.barrier, Eyes: eyes, Screen: s, Clock: &s.clock, Mono: monoNow,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.lane = lane
}

// run starts everything and has it end with the test: the lane first, the board
// last.
func (s *laneStand) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { _ = s.lane.Serve(ctx) })
	parts.Go(func() { _ = s.barrier.serveOrders(ctx, nil) })
	parts.Go(func() { _ = s.barrier.serveEvents(ctx, nil) })
	parts.Go(func() { s.dev.pass(ctx) })
	parts.Go(func() { s.eyes.look(ctx) })
	if s.wires != nil {
		s.wires.run(ctx, &parts)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.dev.Serve(ctx)
	}()
	s.stop = sync.OnceFunc(func() {
		cancel()
		<-served
		parts.Wait()
		if s.wires != nil {
			if err := s.wires.close(); err != nil {
				s.t.Error(err)
			}
		}
		if err := s.board.Mend(); err != nil { // a fault of its own hung it up
			s.t.Error(err)
		}
		if err := s.board.Close(); err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(s.stop)
}

// Show implements gate.Screen.
func (s *laneStand) Show(v gate.View) {
	s.barrier.light(v.State)
	s.mu.Lock()
	s.trail, s.shown = append(s.trail, v.State), v
	s.mu.Unlock()
	select {
	case s.views <- v:
	default:
		s.t.Error("nobody looks at the screen any more")
	}
}

// await reads what the lane shows until it fits. Everything before is gone.
func (s *laneStand) await(what string, fits func(gate.View) bool) (gate.View, bool) {
	limit := time.NewTimer(standLimit)
	defer limit.Stop()
	var last gate.View
	for {
		select {
		case last = <-s.views:
			if fits(last) {
				return last, true
			}
		case <-limit.C:
			s.t.Errorf("ended by the test's own time-out: no %s; the lane is %v (%s); presence is %v at the board", what, s.state(), s.view().Cause, s.dev.Snapshot().Level(hal.InputPresence))
			return last, false
		}
	}
}

func (s *laneStand) awaitState(want ...gate.State) bool {
	_, ok := s.await(fmt.Sprint(want), func(v gate.View) bool { return !v.Finished && slices.Contains(want, v.State) })
	return ok
}

// forget drops what was shown so far.
func (s *laneStand) forget() {
	for {
		select {
		case <-s.views:
		case <-s.unlocks:
		default:
			return
		}
	}
}

// set drives a contact; what is between the leaves is noted with its time.
func (s *laneStand) set(ch int, on bool) {
	if ch == standObstruction {
		s.mu.Lock()
		s.inway = 0
		if on {
			s.inway = monoNow()
		}
		s.mu.Unlock()
	}
	s.board.SetInput(ch, on)
}

// view is what the lane has shown last.
func (s *laneStand) view() gate.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown
}

// state is the lane's, as last shown.
func (s *laneStand) state() gate.State { return s.view().State }

// stopLag is how long after somebody has stepped in a withdrawal may still reach
// the board: it was on its way.
const stopLag = int64(100 * time.Millisecond)

// output watches the relays: nothing may be closed on anybody.
func (s *laneStand) output(c board.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Channel == standStop && c.On && s.inway != 0 && c.At-s.inway > stopLag {
		s.wrong = append(s.wrong, "the gate was told to stop while somebody was between the leaves")
	}
}

// looked gives the states shown since the last time.
func (s *laneStand) looked() []gate.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.trail
	s.trail = nil
	return out
}

// unsafe names what the board was told against the rules; the stand must have
// ended.
func (s *laneStand) unsafe() []string {
	s.mu.Lock()
	bad := slices.Clone(s.wrong)
	s.mu.Unlock()
	decided := s.book.admitted()
	for _, g := range s.board.Grants() {
		i := slices.IndexFunc(decided, func(open [2]int64) bool { return open[0] <= g.At && g.At <= open[1] })
		if i < 0 {
			bad = append(bad, "an unlock pulse has no admission that is durable before it and still open, or is a second one of the same")
			continue
		}
		decided = slices.Delete(decided, i, i+1)
		if g.Channel != standPass {
			bad = append(bad, fmt.Sprintf("unlock %d was pulsed, of the other direction", g.Channel))
		}
		if g.Duration <= 0 || g.Duration > time.Second {
			bad = append(bad, fmt.Sprintf("an unlock lasted %v", g.Duration))
		}
	}
	for ch, on := range s.board.Outputs()[:standStop+1] {
		if on {
			bad = append(bad, fmt.Sprintf("output %d is left on", ch))
		}
	}
	return bad
}

// The ports of the lane that never fail here.

func (s *laneStand) Read(payload []byte, _ time.Time) gate.Claim {
	if string(payload) != standPayload {
		return gate.Claim{Fault: reason.PassFormat}
	}
	return gate.Claim{Pass: gate.Pass{
		Number: "X1", Type: "border_pass", Account: "A1", Crossings: []string{"HNG1"}, Directions: []gate.Direction{gate.DirExit},
		ValidFrom: time.Now().Add(-day), ValidTo: time.Now().Add(day),
	}}
}

func (s *laneStand) Look(string) gate.Account {
	a := gate.Account{Status: gate.AccountActive, Level: 2, Kind: gate.KindCitizen, Model: "m", Reference: []byte{1}, Issued: time.Now()}
	if s.eyes.stranger.Load() {
		a.Status = gate.AccountUnknown
	}
	return a
}
func (s *laneStand) Watched(gate.Pass) (on, ok bool)     { return false, true }
func (s *laneStand) CatchingUp() bool                    { return s.catchUp.Load() }
func (s *laneStand) Pass(string) gate.PassState          { return gate.PassState{} }
func (s *laneStand) Moved(string, gate.Direction, int64) {}
func (s *laneStand) Unsure(string)                       {}
func (s *laneStand) Stamped(string, int64)               {}
func (s *laneStand) Fits(string) bool                    { return true }
func (s *laneStand) Open(gate.Pass) []byte               { return nil }
func (s *laneStand) Match(f []gate.Face, _ string, _ []byte, _ bool) gate.Match {
	if len(f) < 2 {
		return gate.Match{}
	}
	return gate.Match{Similarity: gate.Same, Liveness: gate.LiveYes, Frames: len(f)}
}

// standClock can be stepped.
type standClock struct{ bad atomic.Bool }

// Wall implements gate.Clock.
func (c *standClock) Wall() (now time.Time, trust gate.ClockTrust, floor time.Time) {
	if c.bad.Load() {
		return time.Unix(0, 0), gate.ClockBad, time.Now()
	}
	return time.Now(), gate.ClockSynced, time.Now().Add(-time.Hour)
}

// standBook is a journal whose records can be held back or refused. What it took
// is durable before anybody hears of it.
type standBook struct {
	mu     sync.Mutex
	full   bool
	hold   bool
	no     map[gate.TxID]bool // of whom something was refused
	held   []func()
	lines  []standLine
	ending sync.WaitGroup
}

type standLine struct {
	gate.Entry
	durable int64
}

func newStandBook() *standBook { return &standBook{} }

var errFull = errors.New("no space left on the disk")

// Record implements gate.Recorder.
func (b *standBook) Record(e gate.Entry, done func(error)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full {
		b.refuse(e)
		return errFull
	}
	write := func() {
		b.mu.Lock()
		full := b.full
		if full {
			b.refuse(e)
		} else {
			b.lines = append(b.lines, standLine{e, monoNow()})
		}
		b.mu.Unlock()
		if full {
			done(errFull)
			return
		}
		done(nil)
	}
	if b.hold && e.Kind == gate.EntryDecision {
		b.held = append(b.held, write)
		return nil
	}
	b.ending.Go(write)
	return nil
}

// refuse notes an entry that was not taken, and said to be so.
func (b *standBook) refuse(e gate.Entry) {
	if b.no == nil {
		b.no = map[gate.TxID]bool{}
	}
	b.no[e.Tx] = true
}

// refused tells whether the lane knows that something of a transaction is not
// on record.
func (b *standBook) refused(tx gate.TxID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.no[tx]
}

// holdBack keeps decisions from the disk until release.
func (b *standBook) holdBack() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hold = true
}

func (b *standBook) release() {
	b.mu.Lock()
	held := b.held
	b.hold, b.held = false, nil
	b.mu.Unlock()
	for _, write := range held {
		write()
	}
}

func (b *standBook) fill(full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.full = full
}

// since gives the entries from the n-th on.
func (b *standBook) since(n int) []standLine {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.lines[min(n, len(b.lines)):])
}

// admitted are the times between which decisions to let somebody through were
// durable and their transactions open.
func (b *standBook) admitted() (out [][2]int64) {
	lines := b.since(0)
	for _, l := range lines {
		if l.Kind != gate.EntryDecision || l.Public.Outcome != reason.Admitted && l.Public.Outcome != reason.Overridden {
			continue
		}
		open := [2]int64{l.durable, 1<<63 - 1}
		for _, end := range lines {
			if end.Tx == l.Tx && end.Kind == gate.EntryOutcome {
				open[1] = end.At
			}
		}
		out = append(out, open)
	}
	return out
}

// alarms are the reasons of the alarms from the n-th entry on, each once.
func (b *standBook) alarms(n int) (out []string) {
	for _, l := range b.since(n) {
		if l.Kind != gate.EntryAlarm {
			continue
		}
		for _, r := range l.Public.Reasons {
			out = append(out, r.String())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
