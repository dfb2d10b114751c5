package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"

	"bordergate/cmd/gatesim/enrol"
	"bordergate/cmd/gatesim/pad"
	"bordergate/cmd/gatesim/people"
)

// padCommand is "gatesim pad": positive when every rate keeps its bound.
func padCommand(ctx context.Context, args []string, out, errOut io.Writer) (bool, error) {
	var o options
	var p pad.Options
	var asJSON bool
	fs := flag.NewFlagSet("gatesim pad", flag.ContinueOnError)
	fs.SetOutput(errOut)
	o.common(fs)
	fs.IntVar(&p.Live, "live", 200, "live streams")
	fs.IntVar(&p.Attacks, "attacks", 200, "attack streams of each medium, print and screen")
	fs.IntVar(&p.Users, "users", 80, "live streams of other people to calibrate on")
	fs.Float64Var(&p.BPCER, "bpcer", 0.03, "share of those that may be rejected")
	fs.IntVar(&p.Frames, "frames", 5, "frames of a stream")
	fs.BoolVar(&p.Door, "door", false, "a door frame and a sign behind the traveller, instead of a plain wall")
	fs.BoolVar(&asJSON, "json", false, "print JSON")
	if err := o.check(fs, args); err != nil {
		return false, err
	}
	if p.Live < 1 || p.Attacks < 1 || p.Users < 5 || p.Frames < 3 || max(p.Live, p.Attacks, p.Users) > 10_000 || p.Frames > 100 {
		return false, errors.New("--live and --attacks: 1 to 10000; --users: 5 to 10000; --frames: 3 to 100")
	}
	if o.seed == 0 {
		o.seed = 20261122
	}
	say := progress{errOut}.say
	p.Program, p.Models, p.Manifest, p.Seed = filepath.Join(o.bin, "gatevision"), o.models, o.manifest, o.seed
	p.Progress = say
	if err := padPeople(ctx, o, &p, say); err != nil {
		return false, err
	}
	r, err := pad.Run(ctx, p)
	if err != nil {
		return false, err
	}
	if asJSON {
		return r.OK, json.NewEncoder(out).Encode(r)
	}
	r.Text(out)
	return r.OK, nil
}

// padPeople splits the people: every other one is calibrated on, the rest are
// tried. Whose photographs are too poor for the gate's own rules is left out.
func padPeople(ctx context.Context, o options, p *pad.Options, say func(string, ...any)) error {
	list, err := people.Folder(o.people)
	if err != nil {
		return err
	}
	p.Source = people.LFW
	if len(list) < 100 {
		say("no folder of people at %s: the %s are used, which are far too few for a rate", o.people, people.Demonstration)
		if list, err = people.Demo(o.photos); err != nil {
			return err
		}
		p.Source = people.Demonstration
	}
	var half [2][]people.Person
	for i, x := range list {
		half[i%2] = append(half[i%2], x)
	}
	office, err := enrol.New(enrol.Options{Program: p.Program, Models: o.models, Manifest: o.manifest, Dir: filepath.Join(o.cache, "portraits")})
	if err != nil {
		return err
	}
	for i, to := range []struct {
		list *[]people.Person
		want int
	}{{&p.Known, p.Users}, {&p.Others, max(p.Live, p.Attacks)}} {
		got, refused, err := office.People(ctx, half[i], min(to.want, len(half[i])))
		if err != nil {
			return fmt.Errorf("choose people: %w", err)
		}
		for _, e := range got {
			*to.list = append(*to.list, e.Person)
		}
		say("%d people, %d passed over for the quality of a photograph", len(got), refused)
	}
	return nil
}
