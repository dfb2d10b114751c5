package station

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"bordergate/cmd/gatesim/scenario"
	"bordergate/configs"

	"go.yaml.in/yaml/v3"
)

// The gate of the demonstration.
const (
	GateID   = "lane-1"
	Crossing = "HNG1"
)

// Options of a station.
type Options struct {
	Out      string // folder made anew for identities, configuration, databases, logs
	Bin      string // folder of the programs
	Models   string // folder of the model pack
	Manifest string // its manifest
	Face     string // URL of the face camera
	Document string // URL of the document camera
	Port     string // path of the turnstile's serial line
	Scanner  string // path of the scanner's serial line
	Policy   scenario.Policy
	// Turnstile is the driver of the gate's board; empty for modbusio.
	Turnstile string
	// Direction is the lane's: exit or entry.
	Direction string
	Trust     func(dir string) error // fills the folder that headquarters publishes
	// Broker is the URL of a broker on this machine without TLS, in place of
	// headquarters' own; empty for that one.
	Broker string
	// Console is where headquarters serves the officers' console; empty: nowhere.
	Console string
	// TemplateKeys is the file of the keys that open templates in passes.
	TemplateKeys string
}

func (o Options) path(name string) string { return filepath.Join(o.Out, name) }

// Program is the path of one of the programs.
func (o Options) Program(name string) string { return filepath.Join(o.Bin, name) }

// ErrProgram is returned where the programs have not been built.
var ErrProgram = errors.New("program is missing")

func (o Options) checkPrograms() error {
	var errs []error
	for _, name := range []string{"gated", "gatevision", "gatectl", "hqd"} {
		if _, err := os.Stat(o.Program(name)); err != nil {
			errs = append(errs, fmt.Errorf("%w: %s (build it with: make build)", ErrProgram, o.Program(name)))
		}
	}
	return errors.Join(errs...)
}

// Counters is the address of the board's counters. The demonstration's board
// counts the closings of its contacts: its wire is a pseudo-terminal, whose
// bytes a busy kernel carries later than a contact lasts.
const Counters = 0x0100

// gateFile is the gate's configuration. Liveness is observed only: a simulated
// live face is itself a re-capture of a photograph.
func (o Options) gateFile(status, broker, fingerprint string) configs.Gate {
	g := configs.DefaultGate()
	g.Version, g.Simulated = 1, true
	g.Gate = configs.Place{ID: GateID, Crossing: Crossing, Lane: "1", Direction: o.Direction}
	g.Paths = configs.Paths{State: o.path("gate"), Identity: o.path("gate/identity"), Control: o.path("gated.sock")}
	g.Status.Listen = status
	g.Screen.Listen, g.Screen.Start = "127.0.0.1:0", o.path("screen")
	g.Models.Dir, g.Models.Manifest, g.Models.Liveness = o.Models, o.Manifest, "observe"
	g.Vision.Program = o.Program("gatevision")
	g.Cameras = configs.Cameras{
		Document: configs.Camera{Source: o.Document, Width: 1280, Height: 720, FPS: 25, Threads: 1},
		Face:     configs.Camera{Source: o.Face, Width: 1280, Height: 720, FPS: 25, Threads: 1},
	}
	if o.Policy.Enforce {
		g.Models.Liveness = "enforce"
	}
	o.turnstile(&g.Turnstile)
	g.Scanner.Dialect, g.Scanner.Port = "honeywell", o.Scanner
	g.Trust.Dir, g.Trust.TemplateKeys = o.path("trust"), o.TemplateKeys
	g.HQ = configs.Link{Broker: "ssl://" + broker, Bundle: o.path("hq.json"), Fingerprint: fingerprint}
	if o.Broker != "" {
		g.HQ.Broker = o.Broker
	}
	g.Policy.CaptureTimeout, g.Policy.FaceTimeout, g.Policy.ReferralHold = o.Policy.CaptureTimeout, o.Policy.FaceTimeout, o.Policy.ReferralHold
	g.Policy.KindMaxAge.Foreigner = o.Policy.ForeignerAge
	return g
}

func (o Options) hqFile(listen string) configs.HQ {
	h := configs.DefaultHQ()
	h.Version, h.Simulated = 1, true
	h.Broker = o.Broker
	h.Console.Listen, h.Console.Station = o.Console, "Simulated station"
	h.Listen, h.Store, h.Identity, h.Control = "ssl://"+listen, o.path("hq/store"), o.path("hq/identity"), o.path("hqd.sock")
	return h
}

// writeYAML stores a configuration.
func writeYAML(path string, v any) error {
	b, err := yaml.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	b = append([]byte("# Made by the simulator at each run.\n"), b...)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

// freeAddress finds a loopback port that is free now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// times of the station itself.
const (
	readyLimit = 30 * time.Second // for a program to come up
	// for the gate to be in touch again: its own wait between two tries grows
	// to a minute while headquarters is away.
	touchLimit = 100 * time.Second
	stopGrace  = 8 * time.Second // for a program to end in order
	askEvery   = 50 * time.Millisecond
)
