package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"bordergate/cmd/gatesim/station"
	"bordergate/sync/wire"
)

// Options of a fleet.
type Options struct {
	Dir         string // empty folder for the gates' keys and logs
	Gates       int
	Suspensions int
	Pace        time.Duration // between two crossings of a gate; 0: none
	Ramp        time.Duration // within which the gates come one after another
	Hold        time.Duration // the fleet works at least so long
	OnDisk      bool          // the gates have gated's own replica
	Prefix      string        // of the gates' and accounts' names
	Say         func(format string, args ...any)
}

// ErrNotReady is returned for gates that do not come through in time.
var ErrNotReady = errors.New("not ready in time")

// comeLimit is how long the last gate may need, for its own pauses grow to 15 s.
const comeLimit = 90 * time.Second

// Fleet is gates that headquarters knows. Its methods are for one caller.
type Fleet struct {
	o        Options
	hq       *station.Headquarters
	gates    []*gate
	accounts []string
	log      *os.File
	stop     context.CancelFunc
	links    sync.WaitGroup
	workers  *errgroup.Group
	rest     context.CancelFunc // ends the gates' work, not their links
	began    time.Time
}

// New makes the gates' keys, has headquarters register and certify each, and
// enrols an account for every suspension.
func New(ctx context.Context, hq *station.Headquarters, o Options) (*Fleet, error) {
	f := &Fleet{o: o, hq: hq, stop: func() {}, rest: func() {}}
	raw, err := os.ReadFile(hq.Bundle)
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	bundle, err := wire.ParseBundle(raw, hq.Fingerprint)
	if err != nil {
		return nil, err
	}
	if f.log, err = os.OpenFile(filepath.Join(o.Dir, "gates.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(f.log, nil))
	f.gates = make([]*gate, o.Gates)
	epoch := uint64(time.Now().Unix())
	var made errgroup.Group
	made.SetLimit(4)
	for i := range f.gates {
		made.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			name := fmt.Sprintf("%s-%04d", o.Prefix, i+1)
			g, err := newGate(filepath.Join(o.Dir, "gates", name), name, o.OnDisk, epoch)
			if err != nil {
				return fmt.Errorf("make gate %s: %w", name, err)
			}
			f.gates[i] = g
			return f.register(ctx, g, bundle, log)
		})
	}
	if err := made.Wait(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := f.enrol(ctx); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Fleet) register(ctx context.Context, g *gate, bundle wire.Bundle, log *slog.Logger) error {
	request, err := g.id.Request()
	if err != nil {
		return err
	}
	answer, err := f.hq.Post(ctx, "/gates", json.RawMessage(request))
	if err != nil {
		return fmt.Errorf("register gate %s: %w", g.name, err)
	}
	var entry struct{ Certificate string }
	if err := json.Unmarshal(answer, &entry); err != nil {
		return fmt.Errorf("register gate %s: %w", g.name, err)
	}
	if err := g.join(entry.Certificate, f.hq.Broker, bundle, log); err != nil {
		return fmt.Errorf("register gate %s: %w", g.name, err)
	}
	return nil
}

func (f *Fleet) enrol(ctx context.Context) error {
	type account struct {
		ID    string `json:"id"`
		Level int    `json:"level"`
		Kind  string `json:"kind"`
	}
	var list []account
	for i := range max(f.o.Suspensions, 1) {
		id := f.o.Prefix + "-account-" + strconv.Itoa(i+1)
		f.accounts = append(f.accounts, id)
		list = append(list, account{id, 2, wire.KindCitizen})
	}
	if _, err := f.hq.Post(ctx, "/accounts", list); err != nil {
		return fmt.Errorf("enrol accounts: %w", err)
	}
	return nil
}

// Start has the gates come one after another within Ramp and returns when each
// is heard and knows what headquarters knows.
func (f *Fleet) Start(ctx context.Context) error {
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	f.stop, f.began = stop, time.Now()
	for i, g := range f.gates {
		wait := time.NewTimer(time.Until(f.began.Add(f.o.Ramp * time.Duration(i) / time.Duration(len(f.gates)))))
		select {
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		case <-wait.C:
		}
		f.links.Go(func() { _ = g.link.Serve(life) })
	}
	if err := f.until(ctx, "gates to be in touch", func() int { return f.count((*gate).ready) }); err != nil {
		return err
	}
	work, rest := context.WithCancel(life)
	f.rest = rest
	f.workers, work = errgroup.WithContext(work)
	for _, g := range f.gates {
		if f.o.Pace > 0 {
			f.workers.Go(func() error { return g.work(work, f.o.Pace, rand.N(f.o.Pace)) })
		}
	}
	return nil
}

func (f *Fleet) count(is func(*gate) bool) (n int) {
	for _, g := range f.gates {
		if is(g) {
			n++
		}
	}
	return n
}

// until asks again and again until every gate is there.
func (f *Fleet) until(ctx context.Context, what string, there func() int) error {
	ctx, cancel := context.WithTimeout(ctx, comeLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		n := there()
		if n == len(f.gates) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w: %d of %d; see gates.log", what, ErrNotReady, n, len(f.gates))
		case <-tick.C:
		}
	}
}

// Settle ends the gates' work and waits until headquarters has acknowledged
// every record.
func (f *Fleet) Settle(ctx context.Context) error {
	f.rest()
	if f.workers != nil {
		if err := f.workers.Wait(); err != nil {
			return err
		}
	}
	for _, g := range f.gates {
		g.link.Notify()
	}
	return f.until(ctx, "records to be acknowledged", func() int {
		return f.count(func(g *gate) bool { return g.acked() >= g.written.Load() })
	})
}

// Close ends the links and closes the gates' files.
func (f *Fleet) Close() error {
	f.rest()
	f.stop()
	f.links.Wait()
	for _, g := range f.gates {
		if g != nil {
			g.close()
		}
	}
	return f.log.Close()
}
