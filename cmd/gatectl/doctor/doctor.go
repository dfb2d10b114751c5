package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"bordergate/cmd/gatectl/devices"
	"bordergate/configs"
	"bordergate/hal"
	"bordergate/hal/scanner"
)

// Check is what was found of one part.
type Check struct {
	Check  string  `json:"check"`
	OK     bool    `json:"ok"`
	Detail string  `json:"detail"`
	Hint   string  `json:"hint"` // the cure; empty where all is well
	Millis float64 `json:"millis"`
}

// Options are what an examination needs.
type Options struct {
	Config  *configs.Gate
	Version string // of this program
	// Gated asks the running daemon's control socket; nil while none runs.
	Gated func(ctx context.Context, path string) (json.RawMessage, error)
	// Trust says whose seals the gate believes.
	Trust func(ctx context.Context) (detail string, err error)
	// Program finds the cameras' program.
	Program func() (string, error)

	// What tests replace.
	Now    func() time.Time
	Synced func() (synced bool, offBy time.Duration)
	Disk   func(path string) (free, size uint64, err error)
	Camera func(ctx context.Context, program string, c configs.Camera) (devices.Frame, error)
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	// Handshake makes a TLS connection of one and says which.
	Handshake func(ctx context.Context, conn net.Conn, host string) (string, error)
}

// finding is what a check found; an error is a fault with its cure as hint.
type finding struct {
	detail string
	err    error
	hint   string
}

func well(format string, args ...any) finding { return finding{detail: fmt.Sprintf(format, args...)} }

func ill(err error, hint string) finding { return finding{err: err, hint: hint} }

// step is one check.
type step struct {
	name string
	run  func(ctx context.Context) finding
}

// checkLimit bounds one check.
const checkLimit = 4500 * time.Millisecond

// Run examines the gate and gives the checks in a fixed order. They are made at
// once, so that the slowest one is the time of all.
func Run(ctx context.Context, o Options) []Check {
	o = o.withDefaults()
	steps := o.steps()
	out := make([]Check, len(steps))
	var all sync.WaitGroup
	for i, s := range steps {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, checkLimit)
			defer cancel()
			begun := time.Now()
			f := s.run(ctx)
			out[i] = Check{Check: s.name, OK: f.err == nil, Detail: f.detail, Millis: float64(time.Since(begun).Microseconds()) / 1000}
			if f.err != nil {
				out[i].Detail, out[i].Hint = f.err.Error(), f.hint
			}
		})
	}
	all.Wait()
	return out
}

func (o Options) steps() []step {
	out := []step{
		{"gated", o.gated},
		{"versions", o.versions},
		{"state", o.state},
		{"disk", o.disk},
		{"journal", o.journal},
		{"identity", o.identity},
		{"certificate", o.certificate},
		{"headquarters_keys", o.bundle},
		{"broker", o.broker},
		{"trust", o.trust},
		{"clock", o.clock},
		{"models", o.models},
		{"vision", o.vision},
		{"status_page", o.statusPage},
	}
	if o.Config.Trust.TemplateKeys != "" {
		out = append(out, step{"template_keys", o.templateKeys})
	}
	if o.Gated != nil {
		return append(out, o.through()...)
	}
	c := o.Config
	out = append(
		out, step{"turnstile", o.turnstile},
		step{"document_camera", func(ctx context.Context) finding { return o.camera(ctx, c.Cameras.Document) }},
		step{"face_camera", func(ctx context.Context) finding { return o.camera(ctx, c.Cameras.Face) }},
	)
	if c.Scanner.Present() {
		out = append(out, step{"scanner", o.scanner})
	}
	return out
}

// through are the devices as the running daemon has them.
func (o Options) through() []step {
	var list []struct {
		Name      string  `json:"name"`
		OK        bool    `json:"ok"`
		Error     string  `json:"error"`
		Detail    string  `json:"detail"`
		LastCrash string  `json:"last_crash"`
		AgeMS     float64 `json:"age_ms"`
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkLimit)
	defer cancel()
	doc, err := o.Gated(ctx, "/v1/devices")
	if err == nil {
		err = json.Unmarshal(doc, &list)
	}
	if err != nil {
		return []step{{"devices", func(context.Context) finding { return ill(err, "gated and gatectl should be of the same version") }}}
	}
	var out []step
	for _, d := range list {
		out = append(out, step{d.Name, func(context.Context) finding {
			if !d.OK {
				return ill(fmt.Errorf("%s", orElse(d.Error, "it does not do its work")), deviceHints[d.Name])
			}
			text := "through gated"
			if d.Detail != "" {
				text += ": " + d.Detail
			}
			if d.AgeMS >= 0 {
				text += fmt.Sprintf("; %.0f ms old", d.AgeMS)
			}
			if d.LastCrash != "" {
				text += "; its worker crashed last of " + d.LastCrash
			}
			return well("%s", text)
		}})
	}
	if !slices.ContainsFunc(out, func(s step) bool { return s.name == "turnstile" }) {
		out = append(out, step{"turnstile", func(context.Context) finding {
			return ill(fmt.Errorf("gated has not opened it"), "mend what the line of gated names first")
		}})
	}
	return out
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

var deviceHints = map[string]string{
	"turnstile":       "check the board's supply and cable, turnstile.port, baud and unit; gatectl turnstile status tries it alone, with gated stopped",
	"document_camera": "check its plug and cameras.document.source; gatectl camera document tries it alone, with gated stopped",
	"face_camera":     "check its plug and cameras.face.source; gatectl camera face tries it alone, with gated stopped",
	"scanner":         "check its cable, scanner.port, dialect and baud; gatectl scanner tries it alone, with gated stopped",
}

func (o Options) turnstile(ctx context.Context) finding {
	var text string
	err := devices.Turnstile(ctx, o.Config.Turnstile, func(_ context.Context, t hal.Turnstile) error {
		s := t.Snapshot()
		text = fmt.Sprintf("it answers; emergency %v, ready %v, presence %v", s.Level(hal.InputEmergency), s.Level(hal.InputReady), s.Level(hal.InputPresence))
		return nil
	})
	if err != nil {
		return ill(err, deviceHints["turnstile"])
	}
	return well("%s", text)
}

func (o Options) scanner(ctx context.Context) finding {
	err := devices.Scanner(ctx, o.Config.Scanner, func(context.Context, *scanner.Scanner) error { return nil })
	if err != nil {
		return ill(err, deviceHints["scanner"])
	}
	return well("it is there (%s)", o.Config.Scanner.Dialect)
}

func (o Options) camera(ctx context.Context, c configs.Camera) finding {
	program, err := o.Program()
	if err != nil {
		return ill(err, "install gatevision beside gatectl, or name it with vision.program")
	}
	f, err := o.Camera(ctx, program, c)
	if err != nil {
		return ill(err, "check its plug, its light and its source in gate.yaml")
	}
	return well("%dx%d at %.1f frames a second, brightness %.0f, sharpness %.0f", f.Width, f.Height, f.FPS, f.Brightness, f.Sharpness)
}
