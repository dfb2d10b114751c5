package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"bordergate/cmd/gatesim/drain"
)

// drainCommand is "gatesim drain": a gate comes back after days.
func drainCommand(ctx context.Context, args []string, out, errOut io.Writer) (bool, error) {
	var o options
	var d drain.Options
	fs := flag.NewFlagSet("gatesim drain", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.IntVar(&d.Records, "records", 2_000_000, "records in the journal when the link comes up")
	fs.DurationVar(&d.RTT, "rtt", 600*time.Millisecond, "round-trip time of the line")
	fs.IntVar(&d.LiveRate, "live", 5, "records a second meanwhile")
	fs.IntVar(&d.Commits, "commits", 2000, "commits timed before and after")
	fs.DurationVar(&d.Limit, "limit", 20*time.Minute, "longest time of the drain")
	fs.StringVar(&o.out, "out", "out/drain", "folder made anew; it must be under a folder called out")
	fs.StringVar(&o.bin, "bin", "bin", "folder of hqd")
	if err := fs.Parse(args); err != nil {
		return false, err
	}
	if fs.NArg() > 0 || d.Records < 1 || d.LiveRate < 1 || d.Commits < 1 || d.RTT < 0 {
		return false, errors.New("--records, --live, --commits: at least 1; no other words")
	}
	if err := o.fresh(); err != nil {
		return false, err
	}
	d.Dir, d.Bin, d.Progress = o.out, o.bin, errOut
	r, err := drain.Run(ctx, d)
	if err != nil {
		return false, err
	}
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return false, fmt.Errorf("write result: %w", err)
	}
	_, err = fmt.Fprintf(out, "%s\n", b)
	return true, err
}
