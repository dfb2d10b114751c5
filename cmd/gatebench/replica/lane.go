package replica

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/sync/accounts"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// How often a traveller comes and an account is looked up beside. A gate has a
// traveller in some seconds; so many more give percentiles in a short time.
const (
	travellerEvery = 10 * time.Millisecond
	lookUpEvery    = time.Millisecond
)

// lane decides on travellers.
type lane struct {
	replica  *accounts.Replica
	journal  *journal.Journal
	catching func() bool
	notify   func()
	known    atomic.Int64 // travellers have one of the first so many accounts

	lookUps, cpu, asked, recorded times

	mu       sync.Mutex
	admitted int
	others   map[string]int
	fault    error
}

var policy = gate.Policy{
	Crossing: "HNG1", Direction: gate.DirExit, CacheMaxAge: 72 * time.Hour,
	PassTypes: map[string]gate.PassRule{"border_pass": {Level: 2}},
}

// serve decides on travellers and looks accounts up until ctx ends.
func (l *lane) serve(ctx context.Context) {
	var wg sync.WaitGroup
	every := func(pause time.Duration, do func(lot *rand.Rand) error) {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			lot := rand.New(rand.NewPCG(1, uint64(pause)))
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				if err := do(lot); err != nil && ctx.Err() == nil {
					l.fail(err)
					return
				}
			}
		})
	}
	every(travellerEvery, func(lot *rand.Rand) error { return l.traveller(ctx, int(lot.Int64N(l.known.Load()))) })
	every(lookUpEvery, func(lot *rand.Rand) error { return l.lookUp(int(lot.Int64N(l.known.Load()))) })
	wg.Wait()
}

func (l *lane) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault == nil {
		l.fault = err
	}
}

// onThread is the processor time of this thread.
func onThread() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// lookUp times one look-up of an account that is enrolled. The caller is locked
// to its thread.
func (l *lane) lookUp(n int) error {
	id := Account(n)
	used, start := onThread(), time.Now()
	a, found, err := l.replica.Lookup(id)
	l.lookUps.add(time.Since(start))
	l.cpu.add(onThread() - used)
	switch {
	case err != nil:
		return err
	case !found || a.Level != 2 || len(a.Reference) != wire.ReferenceSize || a.Organisation != organisation(n):
		return fmt.Errorf("look up account %d: found %v, level %d, reference of %d bytes", n, found, a.Level, len(a.Reference))
	}
	return nil
}

// traveller is decided on as the lane does once match and liveness are in.
func (l *lane) traveller(ctx context.Context, n int) error {
	now := time.Now()
	p := gate.Pass{
		Number: fmt.Sprintf("P%012d", n), Type: "border_pass", Account: Account(n), NameMRZ: "NGUYEN<<VAN<A",
		Birth: time.Date(1980, 2, 1, 0, 0, 0, 0, time.UTC), Crossings: []string{"HNG1"}, Directions: []gate.Direction{gate.DirExit},
		ValidFrom: now.Add(-time.Hour), ValidTo: now.Add(time.Hour),
	}
	start := time.Now()
	e := gate.Evidence{
		Now: now, Clock: gate.ClockSynced, Mode: gate.ModeNormal, Emergency: gate.Off, Obstruction: gate.Off,
		Turnstile: true, Journal: true, DocumentCamera: true, Shown: true, Read: true, FaceCamera: true,
		Claim: gate.Claim{Pass: p}, Match: gate.Match{Similarity: gate.Same, Liveness: gate.LiveYes},
		Faces: gate.FaceCount{Frames: 3, Usable: 3}, CatchingUp: l.catching(),
	}
	l.ask(&e)
	v := gate.Decide(e, policy)
	l.asked.add(time.Since(start))
	start = time.Now()
	if _, err := l.journal.Append(ctx, journal.Draft{
		Stream: wire.StreamCrossing, Kind: "decision", Public: gate.Public{Outcome: v.Outcome, Reasons: v.Reasons},
		Personal: []byte(`{"pass_number":"` + p.Number + `"}`), Class: vault.ClassCrossing,
	}); err != nil {
		return err
	}
	l.recorded.add(time.Since(start))
	l.notify()
	l.count(v)
	return nil
}

// ask fills in what the cache says.
func (l *lane) ask(e *gate.Evidence) {
	p := e.Claim.Pass
	e.Account.Issued, _ = l.replica.Fresh()
	a, known, err := l.replica.Lookup(p.Account)
	e.Account.Unusable = err != nil
	if known {
		e.Account.Level, e.Account.Model, e.Account.Reference = a.Level, a.Model, a.Reference
		e.Account.Status = map[wire.Status]gate.AccountStatus{
			wire.StatusActive: gate.AccountActive, wire.StatusSuspended: gate.AccountSuspended, wire.StatusCancelled: gate.AccountCancelled,
		}[a.Status]
	}
	s, err := l.replica.LookupPass(p.Number)
	e.Pass.Revoked, e.Pass.Stamped, e.Pass.Unusable = s.Revoked, s.Stamped, err != nil
	e.Watched, err = l.replica.Watched(wire.WatchPass(p.Number), wire.WatchAccount(p.Account), wire.WatchPerson(p.NameMRZ, p.Birth))
	e.WatchLost = err != nil
}

func (l *lane) count(v gate.Verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v.Outcome == reason.Admitted {
		l.admitted++
		return
	}
	var words []string
	for _, r := range v.Reasons {
		words = append(words, r.String())
	}
	l.others[strings.Join(words, " ")]++
}

// measures ends a period.
func (l *lane) measures() (*Measures, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &Measures{
		LookUp: l.lookUps.spread(), CPU: l.cpu.spread(), Asked: l.asked.spread(), Recorded: l.recorded.spread(), Admitted: l.admitted, Others: l.others,
	}
	l.admitted, l.others = 0, make(map[string]int)
	return m, l.fault
}
