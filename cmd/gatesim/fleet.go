package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"bordergate/cmd/gatesim/fleet"
	"bordergate/cmd/gatesim/report"
	"bordergate/cmd/gatesim/station"
	"bordergate/sync/link/mosquittotest"
)

// fleetOptions of "gatesim fleet".
type fleetOptions struct {
	options
	fleet     fleet.Options
	hq        string
	mosquitto bool
}

func parseFleet(args []string, errOut io.Writer) (fleetOptions, error) {
	var o fleetOptions
	fs := flag.NewFlagSet("gatesim fleet", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.IntVar(&o.fleet.Gates, "gates", 500, "how many gates")
	fs.IntVar(&o.fleet.Suspensions, "suspensions", 0, "how many accounts to suspend, one after another, while the time to each gate is taken")
	fs.DurationVar(&o.fleet.Pace, "pace", 15*time.Second, "between two crossings of a gate; 0: none")
	fs.DurationVar(&o.fleet.Ramp, "ramp", -1, "within which the gates come one after another; 20 ms for each unless given")
	fs.DurationVar(&o.fleet.Hold, "for", 10*time.Second, "how long the fleet works at least")
	fs.BoolVar(&o.fleet.OnDisk, "disk", false, "give each gate the replica that gated has, instead of one in memory")
	fs.BoolVar(&o.mosquitto, "mosquitto", false, "put Debian's mosquitto between gates and headquarters, in place of headquarters' own broker")
	fs.StringVar(&o.hq, "config", "", "file of a simulated headquarters that runs on this machine; one is started when empty")
	fs.StringVar(&o.out, "out", "out/fleet", "folder of keys and logs, made anew; it must be under a folder called out")
	fs.StringVar(&o.bin, "bin", "bin", "folder of hqd")
	fs.StringVar(&o.report, "report", "", "report to write; report.json in the folder when empty")
	if err := o.check(fs, args); err != nil {
		return o, err
	}
	switch {
	case o.fleet.Gates < 1 || o.fleet.Gates > 10_000:
		return o, errors.New("--gates: 1 to 10000")
	case o.fleet.Suspensions < 0 || o.fleet.Suspensions > 100_000:
		return o, errors.New("--suspensions: 0 to 100000")
	case o.fleet.Pace < 0 || o.fleet.Hold < 0:
		return o, errors.New("--pace, --for: no time before now")
	case o.mosquitto && o.hq != "":
		return o, errors.New("--mosquitto: the headquarters of --config has its broker already")
	}
	if o.fleet.Ramp < 0 {
		o.fleet.Ramp = time.Duration(o.fleet.Gates) * 20 * time.Millisecond
	}
	if o.report == "" {
		o.report = filepath.Join(o.out, "report.json")
	}
	return o, nil
}

// fleetCommand is "gatesim fleet": many gates without devices and one real
// headquarters.
func fleetCommand(ctx context.Context, args []string, out, errOut io.Writer) (bool, error) {
	o, err := parseFleet(args, errOut)
	if err != nil {
		return false, err
	}
	if err := o.fresh(); err != nil {
		return false, err
	}
	hq, stop, err := o.headquarters(ctx)
	if err != nil {
		return false, err
	}
	defer stop()
	o.fleet.Dir = o.out
	o.fleet.Say = func(format string, args ...any) { fmt.Fprintf(errOut, format+"\n", args...) }
	f, err := fleet.New(ctx, hq, o.fleet)
	if err != nil {
		return false, err
	}
	r, err := f.Run(ctx)
	if err = errors.Join(err, f.Close()); err != nil {
		return false, err
	}
	r.Machine = machine()
	b, err := json.MarshalIndent(r, "", " ")
	if err == nil {
		err = os.WriteFile(o.report, append(b, '\n'), 0o644)
	}
	if err != nil {
		return false, fmt.Errorf("write report: %w", err)
	}
	fmt.Fprintf(out, "%s\n", b)
	sumUpFleet(errOut, r)
	return r.OK, nil
}

// headquarters starts one, behind mosquitto where wanted, or takes one that
// runs.
func (o *fleetOptions) headquarters(ctx context.Context) (*station.Headquarters, func(), error) {
	o.fleet.Prefix = "fleet"
	if o.hq != "" {
		o.fleet.Prefix += "-" + strconv.FormatInt(time.Now().Unix(), 36) // its gates and accounts stay there
		hq, err := station.OpenHeadquarters(ctx, o.hq, o.bin)
		return hq, func() {}, err
	}
	var stops []func()
	stop := func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
	}
	var another func(files string) (string, error)
	if o.mosquitto {
		another = func(files string) (string, error) {
			b, err := mosquittotest.Start(mosquittotest.Options{Dir: o.out, Files: files})
			if err != nil {
				return "", err
			}
			stops = append(stops, b.Kill)
			return b.URL(), nil
		}
	}
	dir := filepath.Join(o.out, "hq")
	hq, err := station.NewSecureHeadquarters(ctx, dir, o.bin, another)
	if err == nil {
		stops = append(stops, hq.Stop)
		err = hq.Start(ctx)
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return hq, stop, nil
}

// sumUpFleet says the same for people.
func sumUpFleet(w io.Writer, r *fleet.Report) {
	fmt.Fprintf(w, "fleet: %d gates, %d records written, %d at headquarters, %d connections lost, load %s\n",
		r.Gates, r.Written, r.Stored, r.Lost, r.LoadAfter)
	if r.Suspensions > 0 {
		say := func(what string, s report.Spread) {
			fmt.Fprintf(w, "fleet: %s, ms: p50 %.1f", what, s.P50)
			if r.Suspensions >= report.Few {
				fmt.Fprintf(w, ", p95 %.1f, p99 %.1f", s.P95, s.P99)
			}
			fmt.Fprintf(w, ", max %.1f\n", s.Max)
		}
		say("decision to effect at a gate", r.EffectMS)
		say("decision to effect at its slowest gate", r.SlowestMS)
		fmt.Fprintf(w, "fleet: hqd applied lists %d of %d gates; %d accounts wrong\n", r.Listed, r.Gates, r.Wrong)
	}
	for i, fault := range r.Faults {
		if i == 10 {
			fmt.Fprintf(w, "fleet: and %d faults more\n", len(r.Faults)-i)
			break
		}
		fmt.Fprintf(w, "fleet: %s\n", fault)
	}
}
