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
	"slices"

	"bordergate/cmd/gatesim/line"
	"bordergate/cmd/gatesim/soak"
)

// roughLine is what campaigns ask of a line.
var roughLine = line.Faults{Drop: 0.01, Double: 0.01, Swap: 0.01, Cut: 0.002}

// soakCommand is "gatesim soak PART": long campaigns with faults.
func soakCommand(ctx context.Context, args []string, out, errOut io.Writer) (bool, error) {
	switch {
	case len(args) > 0 && args[0] == "lane":
		return soakLane(ctx, args[1:], out, errOut)
	case len(args) == 0 || args[0] != "sync":
		return false, fmt.Errorf("want a part: there are sync and lane; not there yet: people")
	}
	var o options
	var k soak.Options
	fs := flag.NewFlagSet("gatesim soak sync", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.Uint64Var(&k.Seed, "seed", 1, "seed of the plan")
	fs.IntVar(&k.Kills, "kills", 100, "how often to kill")
	fs.IntVar(&k.Records, "records", 50_000, "how many records the gate writes")
	fs.IntVar(&k.Deltas, "deltas", 50_000, "how many changes headquarters makes")
	fs.IntVar(&k.Accounts, "accounts", 500, "to how many accounts")
	broker := fs.String("broker", "both", "own: headquarters' own; mosquitto: with a bad line before headquarters too; both: half of all with each")
	fs.StringVar(&o.out, "out", "out/soak/sync", "folder made anew; it must be under a folder called out")
	fs.StringVar(&o.bin, "bin", "bin", "folder of hqd")
	fs.StringVar(&o.report, "report", "out/soak-sync.json", "result to write")
	if err := fs.Parse(args[1:]); err != nil {
		return false, err
	}
	switch {
	case fs.NArg() > 0:
		return false, fmt.Errorf("%q is not wanted here", fs.Arg(0))
	case k.Kills < 2 || k.Records < 2 || k.Deltas < 2 || k.Accounts < 1 || k.Accounts > 1000:
		return false, errors.New("--kills, --records, --deltas: at least 2; --accounts: 1 to 1000")
	case !slices.Contains([]string{"own", "mosquitto", "both"}, *broker):
		return false, fmt.Errorf("--broker %s: there are own, mosquitto and both", *broker)
	}
	if err := o.fresh(); err != nil {
		return false, err
	}
	self, err := os.Executable()
	if err != nil {
		return false, fmt.Errorf("find this program: %w", err)
	}
	k.Bin, k.Child, k.Faults, k.Progress = o.bin, []string{self, "bare"}, roughLine, errOut
	fmt.Fprintf(errOut, "soak: seed %d, %d kills over %d records and %d changes\n", k.Seed, k.Kills, k.Records, k.Deltas)
	r := soakReport{Seed: k.Seed}
	for _, c := range halves(k, *broker) {
		c.Dir = filepath.Join(o.out, map[bool]string{true: "mosquitto", false: "own"}[c.Mosquitto])
		if err := os.Mkdir(c.Dir, 0o700); err != nil {
			return false, err
		}
		one, err := soak.Run(ctx, c)
		if err != nil {
			return false, fmt.Errorf("%w (see the logs in %s)", err, c.Dir)
		}
		r.add(one)
	}
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return false, fmt.Errorf("write result: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(o.report), 0o755); err != nil {
		return false, fmt.Errorf("write result: %w", err)
	}
	if err := os.WriteFile(o.report, append(b, '\n'), 0o644); err != nil {
		return false, fmt.Errorf("write result: %w", err)
	}
	_, err = fmt.Fprintf(out, "%s\n", b)
	return r.Lost+r.Duplicated+r.Wrong+r.Unsafe == 0, err
}

// soakReport is all campaigns of a run together.
type soakReport struct {
	Seed       uint64        `json:"seed"`
	Runs       int           `json:"runs"`
	Lost       int           `json:"lost"`
	Duplicated int           `json:"duplicated"`
	Wrong      int           `json:"wrong"`
	Unsafe     int           `json:"unsafe"`
	Detail     []soak.Detail `json:"detail"`
}

func (r *soakReport) add(one soak.Report) {
	r.Runs += one.Runs
	r.Lost += one.Lost
	r.Duplicated += one.Duplicated
	r.Wrong += one.Wrong
	r.Unsafe += one.Unsafe
	r.Detail = append(r.Detail, one.Detail)
}

// halves are the campaigns that share a run's kills, records and changes.
func halves(k soak.Options, broker string) []soak.Options {
	own, other := k, k
	other.Mosquitto = true
	switch broker {
	case "own":
		return []soak.Options{own}
	case "mosquitto":
		return []soak.Options{other}
	}
	own.Kills, own.Records, own.Deltas = (k.Kills+1)/2, (k.Records+1)/2, (k.Deltas+1)/2
	other.Kills, other.Records, other.Deltas = k.Kills-own.Kills, k.Records-own.Records, k.Deltas-own.Deltas
	return []soak.Options{own, other}
}
