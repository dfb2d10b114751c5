package pad

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"bordergate/biometrics"
	"bordergate/biometrics/recogniser"
	"bordergate/cmd/gatesim/people"
	"bordergate/cmd/gatesim/scene"
	"bordergate/configs"

	"golang.org/x/sync/errgroup"
)

// Options of a trial.
type Options struct {
	Program  string // gatevision
	Models   string
	Manifest string
	Seed     uint64
	Live     int     // streams
	Attacks  int     // streams of each medium
	Users    int     // live streams to calibrate on
	BPCER    float64 // to calibrate at
	Frames   int     // different frames a stream
	// Known are the people to calibrate on, Others those to try.
	Known, Others []people.Person
	Source        string
	Door          bool // a door frame and a sign behind the traveller
	Progress      func(format string, a ...any)

	model *biometrics.Recogniser
}

// Run calibrates and tries.
func Run(ctx context.Context, o Options) (*Report, error) {
	if len(o.Known) < 2 || len(o.Others) < 2 {
		return nil, errors.New("try liveness: fewer than two people in one of the halves")
	}
	began := time.Now()
	m, err := configs.LoadModels(o.Manifest)
	if err != nil {
		return nil, fmt.Errorf("try liveness: %w", err)
	}
	if o.model, err = recogniser.Open(m, o.Models); err != nil {
		return nil, fmt.Errorf("try liveness: %w", err)
	}
	studio := scene.NewStudio()
	if o.Door {
		studio = scene.NewFurnishedStudio()
	}
	rep, err := o.try(ctx, studio, m)
	if err != nil {
		return nil, fmt.Errorf("try liveness: %w", err)
	}
	rep.Seconds = time.Since(began).Seconds()
	return rep, nil
}

func (o Options) try(ctx context.Context, studio *scene.Studio, m *configs.Models) (*Report, error) {
	rule, cal, err := o.calibrate(ctx, studio, m)
	if err != nil {
		return nil, err
	}
	devices := scene.Devices(true)
	net, _ := m.ByUse(configs.UseLiveness)
	rep := &Report{
		Simulated: true, Generator: "a drawn live face is itself a re-capture; no conformity with any standard is claimed",
		Seed: o.Seed, People: len(o.Others), Source: o.Source, Devices: names(devices), Version: rule.Version(biometrics.ModelID(net.Name, net.SHA256)),
		Door: o.Door, Calibration: cal, QualityHints: map[string]int{},
	}
	rnd := rand.New(rand.NewPCG(o.Seed, 0x7e57))
	var list []order
	for _, k := range []struct {
		kind string
		n    int
	}{{Live, o.Live}, {Print, o.Attacks}, {Screen, o.Attacks}} {
		list = append(list, orders(k.kind, k.n, o.Others, devices, rnd)...)
	}
	err = o.play(ctx, studio, list, rule, func(x Result) { rep.add(x, rule) })
	if err != nil {
		return nil, err
	}
	rep.finish()
	return rep, nil
}

// calibrate sets the rule on live streams of the people who are not tried.
func (o Options) calibrate(ctx context.Context, studio *scene.Studio, m *configs.Models) (biometrics.LivenessRule, Calibration, error) {
	rule := biometrics.DefaultLivenessRule()
	// Another seed than the trial's, whatever that is.
	cal := Calibration{Seed: o.Seed ^ 0xca11b, People: len(o.Known), BPCER: o.BPCER, Devices: names(scene.Devices(false))}
	var users []*biometrics.LivenessSession
	list := orders(Live, o.Users, o.Known, nil, rand.New(rand.NewPCG(cal.Seed, 0xca1)))
	everything := rule
	everything.MinFrames = biometrics.MaxFrames // all frames of each, as far as they go
	err := o.play(ctx, studio, list, everything, func(x Result) {
		if x.Session.N() >= rule.MinFrames {
			users = append(users, &x.Session)
		}
	})
	if err != nil {
		return rule, cal, err
	}
	got, err := biometrics.CalibrateLiveness(users, o.BPCER, biometrics.LivenessLimits{Lowest: m.Liveness.Lowest, Highest: m.Liveness.Highest})
	if err != nil {
		return rule, cal, err
	}
	cal.Users, cal.Rejected, cal.Threshold = got.Users, got.Rejected, got.Threshold
	rule.Threshold, rule.Place, rule.Calibration = got.Threshold, got.Place, fmt.Sprintf("generator-%d", cal.Seed)
	return rule, cal, nil
}

// play tries streams on every core, each with a gatevision of its own, and
// hands the results over in the order of the list.
func (o Options) play(ctx context.Context, studio *scene.Studio, list []order, rule biometrics.LivenessRule, take func(Result)) error {
	empty, err := studio.Idle(3)
	if err != nil {
		return err
	}
	results := make([]Result, len(list))
	var done atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	n := runtime.GOMAXPROCS(0)
	for k := range n {
		g.Go(func() (err error) {
			l, err := newLooker(ctx, o, empty)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, l.close()) }()
			for i := k; i < len(list); i += n {
				s, err := list[i].draw(studio, o.Frames)
				if err != nil {
					return fmt.Errorf("draw %s stream: %w", list[i].kind, err)
				}
				x, err := try(s, o.model, rule, func(f int) (seen, error) { return l.look(s.Frames[f]) })
				if err != nil {
					return err
				}
				x.Stream.Frames = nil
				results[i] = x
				if d := done.Add(1); d%100 == 0 || int(d) == len(list) {
					o.Progress("streams tried: %d of %d", d, len(list))
				}
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, x := range results {
		take(x)
	}
	return nil
}

func names(list []scene.Device) []string {
	out := make([]string, 0, len(list))
	for _, d := range list {
		out = append(out, d.Name)
	}
	return out
}
