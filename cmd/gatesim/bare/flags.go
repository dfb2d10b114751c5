package bare

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// Flags are the arguments with which Command makes the same gate.
func Flags(o Options) []string {
	return []string{
		"--dir", o.Dir, "--name", o.Name, "--broker", o.Broker, "--bundle", o.Bundle,
		"--fingerprint", o.Fingerprint, "--known", strings.Join(o.Known, ","),
	}
}

// Command runs a gate as a process: its log goes to errOut.
func Command(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) error {
	// A campaign's connections break off all the time: waiting as long as a
	// real gate would only make it longer.
	o := Options{Backoff: 50 * time.Millisecond, MaxBackoff: time.Second, Stall: 5 * time.Second}
	fs := flag.NewFlagSet("gatesim bare", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.StringVar(&o.Dir, "dir", "", "folder of the gate")
	fs.StringVar(&o.Name, "name", "", "its id")
	fs.StringVar(&o.Broker, "broker", "", "URL of the broker")
	fs.StringVar(&o.Bundle, "bundle", "", "file of headquarters' keys")
	fs.StringVar(&o.Fingerprint, "fingerprint", "", "of headquarters' root")
	known := fs.String("known", "", "accounts whose changes are held to their order")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 || o.Dir == "" {
		return fmt.Errorf("want --dir, and no %q", fs.Args())
	}
	if *known != "" {
		o.Known = strings.Split(*known, ",")
	}
	o.Logger = slog.New(slog.NewTextHandler(errOut, nil))
	return Run(ctx, o, in, out)
}
