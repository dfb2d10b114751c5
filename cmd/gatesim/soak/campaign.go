package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"bordergate/cmd/gatesim/bare"
	"bordergate/cmd/gatesim/line"
	"bordergate/cmd/gatesim/station"
	"bordergate/sync/link/mosquittotest"
)

// Options of a campaign.
type Options struct {
	Dir   string   // made anew by the caller
	Bin   string   // folder of hqd
	Child []string // program and arguments of the gate's process; its own flags follow
	Env   []string // added to its environment

	// Mosquitto has headquarters use Debian's broker, which is killed by itself,
	// and puts a bad line before headquarters too.
	Mosquitto bool

	Seed                             uint64
	Kills, Records, Deltas, Accounts int
	Faults                           line.Faults
	Pace                             time.Duration // longest round without what a kill takes, 2 s
	Settle                           time.Duration // longest time to agree after the last kill, 3 min
	Progress                         io.Writer
}

// Gates of a campaign: the one that is killed, and one that begins afterwards
// with nothing and must come to the same.
const (
	gateName    = "soak-1"
	witnessName = "soak-2"
)

// campaign is a run under way.
type campaign struct {
	o        Options
	rnd      *rand.Rand // of the plan
	hq       *station.Headquarters
	broker   *mosquittotest.Broker // nil where headquarters has its own
	line     *line.Line            // the gate's
	hqLine   *line.Line            // headquarters' own, to the broker; nil without
	gate     *gate
	accounts *register
	killed   map[string]int
	started  time.Time
}

// Run plays the campaign and judges it. An error says that it could not be
// played; what it found wrong is in the report.
func Run(ctx context.Context, o Options) (Report, error) {
	if o.Pace <= 0 {
		o.Pace = 2 * time.Second
	}
	if o.Settle <= 0 {
		o.Settle = 3 * time.Minute
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	c := &campaign{
		o: o, rnd: rand.New(rand.NewPCG(o.Seed, 1)), accounts: newRegister(o.Accounts, o.Seed),
		killed: make(map[string]int), started: time.Now(),
	}
	defer c.close()
	if err := c.setUp(ctx); err != nil {
		return Report{}, fmt.Errorf("set up: %w", err)
	}
	for n := range o.Kills {
		if err := c.round(ctx, n); err != nil {
			return Report{}, fmt.Errorf("round %d: %w", n+1, err)
		}
		if (n+1)%10 == 0 || n+1 == o.Kills {
			c.say("%d of %d kills, %d records, %d changes ordered, line %+v", n+1, o.Kills, c.gate.log.count(), c.accounts.ordered(), c.line.Counts())
		}
	}
	c.faults(line.Faults{})
	return c.judge(ctx)
}

func (c *campaign) say(format string, a ...any) {
	fmt.Fprintf(c.o.Progress, "soak: %6.1f s: "+format+"\n", append([]any{time.Since(c.started).Seconds()}, a...)...)
}

func (c *campaign) setUp(ctx context.Context) error {
	if err := c.makeHQ(ctx); err != nil {
		return err
	}
	for _, name := range []string{gateName, witnessName} {
		if err := os.MkdirAll(c.path(name), 0o700); err != nil {
			return err
		}
		request, err := bare.Init(c.path(name), name)
		if err != nil {
			return err
		}
		if err := c.hq.AddGate(ctx, request); err != nil {
			return err
		}
	}
	if err := c.hq.Start(ctx); err != nil {
		return err
	}
	var err error
	if c.line, err = line.New(line.Options{To: c.brokerAddress(), Seed: c.o.Seed}); err != nil {
		return err
	}
	c.faults(c.o.Faults)
	c.gate = newGate(c.o.Child, c.o.Env, c.path(gateName+".log"), bare.Options{
		Dir: c.path(gateName), Name: gateName, Broker: "tcp://" + c.line.Address(),
		Bundle: c.hq.Bundle, Fingerprint: c.hq.Fingerprint, Known: c.accounts.names(),
	})
	return c.gate.start()
}

// makeHQ makes headquarters, and the broker and the line to it where it has not
// its own.
func (c *campaign) makeHQ(ctx context.Context) error {
	var err error
	if !c.o.Mosquitto {
		c.hq, err = station.NewHeadquarters(ctx, c.path("hq"), c.o.Bin)
		return err
	}
	if err := os.MkdirAll(c.path("broker"), 0o700); err != nil {
		return err
	}
	if c.broker, err = mosquittotest.Start(mosquittotest.Options{Dir: c.path("broker")}); err != nil {
		return err
	}
	if c.hqLine, err = line.New(line.Options{To: c.broker.Address(), Seed: c.o.Seed + 1}); err != nil {
		return err
	}
	c.hq, err = station.NewHeadquartersAt(ctx, c.path("hq"), c.o.Bin, c.hqLine.Address())
	return err
}

// brokerAddress is where the broker is, without a bad line.
func (c *campaign) brokerAddress() string {
	if c.broker != nil {
		return c.broker.Address()
	}
	return c.hq.Address
}

func (c *campaign) faults(f line.Faults) {
	c.line.Set(f)
	if c.hqLine != nil {
		c.hqLine.Set(f)
	}
}

func (c *campaign) path(name string) string { return filepath.Join(c.o.Dir, name) }

func (c *campaign) close() {
	if c.gate != nil {
		c.gate.kill()
	}
	if c.line != nil {
		c.line.Close()
	}
	if c.hq != nil {
		c.hq.Stop()
	}
	if c.hqLine != nil {
		c.hqLine.Close()
	}
	if c.broker != nil {
		c.broker.Kill()
	}
}

// victims of a kill. Headquarters' own broker dies with it.
const (
	victimGate   = "gate"
	victimHQ     = "headquarters"
	victimBroker = "broker"
	victimAll    = "all"
)

func (c *campaign) victims() []string {
	if c.broker == nil {
		return []string{victimGate, victimGate, victimHQ, victimHQ, victimAll}
	}
	return []string{victimGate, victimGate, victimHQ, victimHQ, victimBroker, victimBroker, victimAll}
}

// round brings a share of the records and of the changes and one kill.
func (c *campaign) round(ctx context.Context, n int) error {
	share := func(all int) int { return all*(n+1)/c.o.Kills - all*n/c.o.Kills }
	long := time.Duration(c.rnd.Int64N(int64(c.o.Pace)))
	at := time.Duration(c.rnd.Int64N(int64(long) + 1))
	down := time.Duration(c.rnd.Int64N(int64(c.o.Pace)/5 + 1))
	all := c.victims()
	victim := all[c.rnd.IntN(len(all))]
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return spread(ctx, long, share(c.o.Records), func(k int) error { return c.gate.record(ctx, k) })
	})
	g.Go(func() error {
		return spread(ctx, long, share(c.o.Deltas), func(k int) error { return c.order(ctx, k) })
	})
	g.Go(func() error {
		if err := sleep(ctx, at); err != nil {
			return err
		}
		return c.strike(ctx, victim, down)
	})
	return g.Wait()
}

// strike kills and starts again.
func (c *campaign) strike(ctx context.Context, victim string, down time.Duration) error {
	if err := errors.Join(c.hq.Failed(), c.gate.failed()); err != nil {
		return err
	}
	c.killed[victim]++
	hit := func(who string) bool { return victim == who || victim == victimAll }
	if hit(victimBroker) && c.broker != nil {
		c.broker.Kill()
	}
	if hit(victimHQ) {
		c.accounts.down()
		c.hq.Kill()
	}
	if hit(victimGate) {
		c.gate.kill()
	}
	if err := sleep(ctx, down); err != nil {
		return err
	}
	if hit(victimBroker) && c.broker != nil {
		if err := c.broker.Start(); err != nil {
			return err
		}
	}
	if hit(victimGate) {
		if err := c.gate.start(); err != nil {
			return err
		}
	}
	if hit(victimHQ) {
		if err := c.hq.Start(ctx); err != nil {
			return err
		}
		c.accounts.upAgain()
	}
	return nil
}

// spread hands n out in ten parts over a time.
func spread(ctx context.Context, long time.Duration, n int, do func(int) error) error {
	const parts = 10
	for i := range parts {
		if k := n*(i+1)/parts - n*i/parts; k > 0 {
			if err := do(k); err != nil {
				return err
			}
		}
		if err := sleep(ctx, long/parts); err != nil {
			return err
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
