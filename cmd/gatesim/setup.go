package main

import (
	"context"
	"fmt"
	"image"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"bordergate/barcode/symbol"
	"bordergate/cmd/gatesim/camera"
	"bordergate/cmd/gatesim/clips"
	"bordergate/cmd/gatesim/enrol"
	"bordergate/cmd/gatesim/issue"
	"bordergate/cmd/gatesim/people"
	"bordergate/cmd/gatesim/play"
	"bordergate/cmd/gatesim/scenario"
	"bordergate/cmd/gatesim/scene"
	"bordergate/cmd/gatesim/station"
)

// production is everything that is ready before the first traveller comes.
type production struct {
	o        options
	scenario *scenario.Scenario
	seed     uint64
	roles    []role
	store    *clips.Store
	office   *issue.Office
	hw       *hardware
	station  *station.Station
	notes    []string
	sources  map[string]int
	// cameraOff says that the document camera is off.
	cameraOff bool
}

// cacheLimit is how much of drawn clips is kept, bytes.
const cacheLimit = 4 << 30

// progress tells a set-up step on a line of its own; plain, with no control
// characters.
type progress struct{ w io.Writer }

func (p progress) say(format string, a ...any) { fmt.Fprintf(p.w, "set-up: "+format+"\n", a...) }

// prepare draws, issues and enrols; nothing runs yet.
func prepare(ctx context.Context, o options, p progress) (*production, error) {
	sc, err := scenario.Load(o.scenario)
	if err != nil {
		return nil, err
	}
	x := &production{o: o, scenario: sc, seed: o.seed, sources: map[string]int{}}
	if x.seed == 0 {
		x.seed = sc.Seed
	}
	plan := sc.Plan(o.travellers, x.seed)
	scripted := min(len(sc.Plan(0, x.seed)), len(plan))
	p.say("%d travellers, scenario %s, seed %d", len(plan), sc.Name, x.seed)
	if err := o.fresh(); err != nil {
		return nil, err
	}
	first, second, err := x.enrol(ctx, len(plan)-scripted, p)
	if err != nil {
		return nil, err
	}
	if x.office, err = issue.Open(filepath.Join(o.cache, "office"), time.Now()); err != nil {
		return nil, err
	}
	if x.roles, err = cast(plan, scripted, first, second, x.office, sc, x.seed); err != nil {
		return nil, err
	}
	if o.kills+o.hangs > 0 {
		shareFilms(x.roles)
	}
	for _, r := range x.roles {
		x.sources[r.face.Source]++
	}
	return x, x.film(ctx, p)
}

// enrol finds the people; more is how many beyond the scripted ones are
// wanted.
func (x *production) enrol(ctx context.Context, more int, p progress) (first, second []enrol.Enrolled, err error) {
	office, err := enrol.New(enrol.Options{
		Program: filepath.Join(x.o.bin, "gatevision"), Models: x.o.models, Manifest: x.o.manifest, Dir: filepath.Join(x.o.cache, "portraits"),
	})
	if err != nil {
		return nil, nil, err
	}
	demo, err := people.Demo(x.o.photos)
	if err != nil {
		return nil, nil, err
	}
	first, refused, err := office.People(ctx, demo, 0)
	if err != nil {
		return nil, nil, err
	}
	if len(first) < 2 {
		return nil, nil, fmt.Errorf("enrol: only %d of %d people of the demonstration have a portrait of enough quality", len(first), len(demo))
	}
	p.say("%d people enrolled, %d portraits refused for their quality (%s)", len(first), refused, people.Demonstration)
	x.notes = append(x.notes,
		"a filmed face is a re-capture of a photograph: nothing here measures accuracy, of liveness neither",
		"a person may come as several travellers, each with an account and a pass of his own")
	if out := x.scenario.LeaveOut; len(out) > 0 {
		x.notes = append(x.notes, fmt.Sprintf("%d of %d people hold no pass, since liveness is undecided about their photographs: %s", len(out), len(demo), strings.Join(out, ", ")))
	}
	if more <= 0 {
		return first, nil, nil
	}
	folder, err := people.Folder(x.o.people)
	if err != nil || len(folder) == 0 {
		return first, nil, err
	}
	second, refused, err = office.People(ctx, folder, more)
	if err != nil {
		return nil, nil, err
	}
	p.say("%d people enrolled from one photograph and filmed from another, %d refused for the quality of either", len(second), refused)
	x.notes = append(x.notes, fmt.Sprintf("%d people of the folder %s are enrolled from one photograph and filmed from another; %d were passed over because one of their photographs fails the product's own rules of quality; nobody was chosen by a match score",
		len(second), filepath.Base(x.o.people), refused))
	return first, second, nil
}

// film draws the clips that are not kept from an earlier run.
func (x *production) film(ctx context.Context, p progress) error {
	var err error
	if x.store, err = clips.Open(filepath.Join(x.o.cache, "clips"), encodeSymbol); err != nil {
		return err
	}
	var jobs []clips.Job
	for _, r := range x.roles {
		jobs = append(jobs, r.jobs[:]...)
	}
	began, last := time.Now(), time.Now()
	drawn, err := x.store.Prepare(ctx, jobs, func(done, all int) {
		if done == all || time.Since(last) > 2*time.Second {
			last = time.Now()
			p.say("clips drawn: %d of %d", done, all)
		}
	})
	if err != nil {
		return err
	}
	p.say("%d clips, %d of them drawn now in %.1f s", len(jobs), drawn, time.Since(began).Seconds())
	return x.store.Prune(cacheLimit)
}

func encodeSymbol(payload []byte) (scene.Symbol, error) {
	var img *image.Gray
	img, err := symbol.EncodeQR(payload, 1)
	if err != nil {
		return scene.Symbol{}, fmt.Errorf("draw symbol: %w", err)
	}
	return scene.SymbolOf(img), nil
}

// open powers the hardware up and starts both programs.
func (x *production) open(ctx context.Context, p progress) error {
	face, document, err := x.store.Idle()
	if err != nil {
		return err
	}
	if x.hw, err = newHardware(x.o.out, x.o.turnstile, face, document); err != nil {
		return err
	}
	x.station, err = station.New(ctx, station.Options{
		Out: x.o.out, Bin: x.o.bin, Models: x.o.models, Manifest: x.o.manifest,
		Face: x.hw.face.URL(), Document: x.hw.document.URL(), Port: x.hw.port, Scanner: x.hw.scanPort,
		Policy: x.scenario.Policy, Direction: x.scenario.Direction, Turnstile: x.o.turnstile, Trust: x.office.Trust, TemplateKeys: x.office.TemplateKeys(),
		Broker: x.o.broker, Console: x.o.console,
	})
	if err != nil {
		return err
	}
	if err := x.station.StartHQ(ctx); err != nil {
		return err
	}
	if err := x.station.PublishTrust(ctx, x.office.Anchor()); err != nil {
		return err
	}
	p.say("headquarters is up and has published whose seals to believe")
	if err := x.station.StartGate(ctx); err != nil {
		return err
	}
	if err := x.station.AddOfficer(ctx); err != nil {
		return err
	}
	p.say("the gate is ready; its status page is %s", x.station.StatusURL())
	if x.o.console != "" {
		password, err := x.station.Officer(ctx, "officer")
		if err != nil {
			return err
		}
		p.say("the officers' console is http://%s/ while this runs: sign in as officer with %s", x.o.console, password)
	}
	return x.introduce(ctx, p)
}

// introduce tells headquarters, and it the gate, of every account and stamp.
func (x *production) introduce(ctx context.Context, p progress) error {
	list := []station.Account{{ID: organisation, Level: 2, Kind: "organisation"}}
	var stamps []station.Stamp
	for _, r := range x.roles {
		if r.Case == scenario.Passback {
			continue // another's account and pass
		}
		if r.enrolled() {
			list = append(list, r.entry())
		}
		stamps = append(stamps, r.stamp(time.Now()))
	}
	if err := x.station.PutAccounts(ctx, list); err != nil {
		return err
	}
	if err := x.station.PutStamps(ctx, stamps); err != nil {
		return err
	}
	p.say("%d accounts and %d stamps are in the gate's cache", len(list), len(stamps))
	return nil
}

func (x *production) close() {
	if x.station != nil {
		x.station.Close()
	}
	if x.hw != nil {
		x.hw.close()
	}
}

func (x *production) stage() play.Stage {
	return play.Stage{
		Board: x.hw.board, Unlocks: x.hw.unlocks, Events: x.station.Events(), Face: x.hw.face, Document: x.hw.document, Scanner: x.hw.scanner,
		Devices: devices{x}, Entry: x.scenario.Direction == scenario.Entry, Timing: x.scenario.Timing, Now: camera.Now,
	}
}

// cpuSeconds is what this process has used.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	s := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return s(u.Utime) + s(u.Stime)
}
