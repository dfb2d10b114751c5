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

	"bordergate/cmd/gatesim/line"
	"bordergate/cmd/gatesim/soak"
)

// roughLine is what campaigns ask of a line.
var roughLine = line.Faults{Drop: 0.01, Double: 0.01, Swap: 0.01, Cut: 0.002}

// soakCommand is "gatesim soak PART": long campaigns with faults.
func soakCommand(ctx context.Context, args []string, out, errOut io.Writer) (bool, error) {
	if len(args) == 0 || args[0] != "sync" {
		return false, fmt.Errorf("want a part: there is sync; not there yet: lane, people")
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
	fs.StringVar(&o.out, "out", "out/soak/sync", "folder made anew; it must be under a folder called out")
	fs.StringVar(&o.bin, "bin", "bin", "folder of hqd")
	fs.StringVar(&o.report, "report", "out/soak-sync.json", "result to write")
	if err := fs.Parse(args[1:]); err != nil {
		return false, err
	}
	switch {
	case fs.NArg() > 0:
		return false, fmt.Errorf("%q is not wanted here", fs.Arg(0))
	case k.Kills < 1 || k.Records < 1 || k.Deltas < 1 || k.Accounts < 1 || k.Accounts > 1000:
		return false, errors.New("--kills, --records, --deltas: at least 1; --accounts: 1 to 1000")
	}
	if err := o.fresh(); err != nil {
		return false, err
	}
	self, err := os.Executable()
	if err != nil {
		return false, fmt.Errorf("find this program: %w", err)
	}
	k.Dir, k.Bin, k.Child, k.Faults, k.Progress = o.out, o.bin, []string{self, "bare"}, roughLine, errOut
	fmt.Fprintf(errOut, "soak: seed %d, %d kills over %d records and %d changes\n", k.Seed, k.Kills, k.Records, k.Deltas)
	r, err := soak.Run(ctx, k)
	if err != nil {
		return false, fmt.Errorf("%w (see the logs in %s)", err, o.out)
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
	return r.Clean(), err
}
