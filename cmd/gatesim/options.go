package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bordergate/cmd/gatesim/scenario"
	"bordergate/cmd/gatesim/station"
)

// options of a run.
type options struct {
	scenario   string
	travellers int
	seed       uint64
	report     string
	out        string
	cache      string
	bin        string
	models     string
	manifest   string
	photos     string
	people     string
	keep       bool
	broker     string
	turnstile  string
	times      int
	kills      int
	hangs      int
	frames     int
	console    string
	hold       time.Duration
}

// common are the flags that both commands have.
func (o *options) common(fs *flag.FlagSet) {
	fs.Uint64Var(&o.seed, "seed", 0, "seed of everything random; 0: the scenario's own")
	fs.StringVar(&o.out, "out", "out/demo", "folder of the station, made anew; it must be under a folder called out")
	fs.StringVar(&o.cache, "cache", "out/cache", "folder of drawn clips, portraits and passes")
	fs.StringVar(&o.bin, "bin", "bin", "folder of gated, gatevision, gatectl and hqd")
	fs.StringVar(&o.models, "models", "models", "folder of the model pack")
	fs.StringVar(&o.manifest, "manifest", "configs/models.yaml", "model manifest")
	fs.StringVar(&o.photos, "photos", "", "folder of the demonstration photographs; demo-faces in the model pack when empty")
	fs.StringVar(&o.people, "people", peopleFolder(), "folder of more people, two photographs or more each; may be missing")
	fs.BoolVar(&o.keep, "keep", false, "keep the station's folder of an earlier run as NAME.old")
}

// peopleFolder is where the tests' data has photographs.
func peopleFolder() string {
	root := os.Getenv("BORDERGATE_DATA")
	if root == "" {
		root = filepath.Join("..", "shared", "data")
	}
	return filepath.Join(root, "faces", "lfw")
}

func parseRun(args []string, errOut io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("gatesim run", flag.ContinueOnError)
	fs.SetOutput(errOut)
	o.common(fs)
	fs.StringVar(&o.scenario, "scenario", "default", "scenario: "+strings.Join(scenario.Names(), ", ")+", or a file")
	fs.IntVar(&o.travellers, "travellers", 0, "number of travellers; 0: the scenario's own")
	fs.StringVar(&o.report, "report", "", "report to write; report.json in the station's folder when empty")
	fs.StringVar(&o.console, "console", "", "host:port of this machine for the officers' console, such as 127.0.0.1:8444; says how to sign in")
	fs.DurationVar(&o.hold, "hold", 0, "how long the lane stands after the last traveller, for gatectl to be tried on it, up to 24h")
	fs.StringVar(&o.broker, "external-broker", "", "URL of another MQTT 3.1.1 broker than headquarters' own: tcp:// on this machine")
	fs.StringVar(&o.turnstile, "turnstile", "modbusio", "the gate's own board: "+strings.Join(station.Turnstiles(), ", "))
	err := o.check(fs, args)
	return o, err
}

func parseCrash(args []string, errOut io.Writer) (options, error) {
	o := options{scenario: "genuine"}
	fs := flag.NewFlagSet("gatesim crash", flag.ContinueOnError)
	fs.SetOutput(errOut)
	o.common(fs)
	fs.IntVar(&o.times, "times", 10, "how often to kill")
	fs.IntVar(&o.kills, "kills", 0, "instead: how many travellers see a worker killed")
	fs.IntVar(&o.hangs, "hangs", 0, "instead: how many travellers see a worker stopped")
	fs.StringVar(&o.report, "report", "", "result to write; crash.json in the station's folder when empty")
	err := o.check(fs, args)
	return o, err
}

func parseFrames(args []string, errOut io.Writer) (options, error) {
	o := options{scenario: "genuine", travellers: 8}
	fs := flag.NewFlagSet("gatesim frames", flag.ContinueOnError)
	fs.SetOutput(errOut)
	o.common(fs)
	fs.IntVar(&o.frames, "count", 100_000, "how many frames the worker analyses")
	err := o.check(fs, args)
	return o, err
}

func (o *options) check(fs *flag.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		return err
	}
	switch {
	case fs.NArg() > 0:
		return fmt.Errorf("%q is not wanted here", fs.Arg(0))
	case o.travellers < 0 || o.travellers > 100_000:
		return errors.New("--travellers: 0 to 100000")
	case o.turnstile != "" && !slices.Contains(station.Turnstiles(), o.turnstile):
		return fmt.Errorf("--turnstile: one of %s", strings.Join(station.Turnstiles(), ", "))
	case o.times < 0 || o.times > 10_000:
		return errors.New("--times: 0 to 10000")
	case o.kills < 0 || o.hangs < 0 || o.kills+o.hangs > 10_000:
		return errors.New("--kills, --hangs: 0 to 10000 together")
	case o.frames < 0 || o.frames > 100_000_000:
		return errors.New("--count: 0 to 100000000")
	case o.hold < 0 || o.hold > 24*time.Hour:
		return errors.New("--hold: 0 to 24h")
	case o.console != "" && !openHere("tcp://"+o.console):
		return errors.New("--console: want 127.0.0.1:PORT")
	case o.broker != "" && !openHere(o.broker):
		return errors.New("--external-broker: want tcp://127.0.0.1:PORT: the run makes its certificates itself, so a broker that is there before it has none of them")
	}
	if o.photos == "" {
		o.photos = filepath.Join(o.models, "demo-faces")
	}
	return nil
}

// openHere reports whether a URL is that of a broker on this machine without TLS.
func openHere(broker string) bool {
	u, err := url.Parse(broker)
	if err != nil || u.Scheme != "tcp" || u.Port() == "" || u.User != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// fresh empties the station's folder. It removes nothing that does not look
// like an output folder.
func (o options) fresh() error {
	path, err := filepath.Abs(o.out)
	if err != nil {
		return fmt.Errorf("make output folder: %w", err)
	}
	if _, err := os.Stat(path); err == nil {
		if !strings.Contains(path+"/", "/out/") {
			return fmt.Errorf("make output folder: %s exists and is not under a folder called out: remove it by hand, or name another", o.out)
		}
		if o.keep {
			old := path + ".old"
			if err := os.RemoveAll(old); err != nil {
				return fmt.Errorf("make output folder: %w", err)
			}
			if err := os.Rename(path, old); err != nil {
				return fmt.Errorf("make output folder: %w", err)
			}
		} else if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("make output folder: %w", err)
		}
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make output folder: %w", err)
	}
	return nil
}
