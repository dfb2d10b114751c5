package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"bordergate/cmd/gatectl/devices"
	"bordergate/configs"
	"bordergate/hal"
)

func deviceCommands() []command {
	return []command{
		{words: "turnstile status", summary: "ask the turnstile alone for its inputs", run: runTurnstileStatus},
		{words: "turnstile watch", summary: "print what the turnstile alone reports, until stopped", run: runTurnstileWatch},
		{words: "turnstile grant", summary: "let one person through in maintenance mode, on record first", run: runTurnstileGrant},
		{words: "camera", summary: "grab a frame of one camera: its size, rate, light and sharpness", run: runCamera},
		{words: "scanner", summary: "print what the scanner alone reads, until stopped", run: runScanner},
		{words: "face try", summary: "grab a frame of the face camera and measure the face in it", run: runFaceTry},
	}
}

// errGated means that the daemon has the device.
var errGated = errors.New("gated runs on it: stop it first (systemctl stop gated), or ask through it with gatectl doctor")

// alone loads the configuration of a gate whose daemon does not run.
func alone(ctx context.Context, file string) (*configs.Gate, error) {
	if file == "" {
		return nil, errors.New("name the gate with --config FILE")
	}
	cfg, faults := configs.LoadGate(file)
	if err := faults.Err(); err != nil {
		return nil, fmt.Errorf("load configuration: %w", err)
	}
	if newControlClient(cfg.Paths.Control).alive(ctx) {
		return nil, errGated
	}
	return cfg, nil
}

// deviceFlags begins a command that has a device to itself.
func deviceFlags(e env, words string) (fs *flag.FlagSet, config *string, asJSON *bool) {
	fs = newFlags(e, words)
	return fs, fs.String("config", "", "the gate's configuration file"), fs.Bool("json", false, "a JSON object a line, on standard output")
}

// noMore refuses words that mean nothing here.
func noMore(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("no word %q is known here", rest[0])
	}
	return nil
}

// turnstileState is what status prints.
type turnstileState struct {
	Online bool              `json:"online"`
	Inputs map[string]string `json:"inputs"`
	Busy   bool              `json:"busy"`
	Millis float64           `json:"millis"`
}

func runTurnstileStatus(ctx context.Context, e env, args []string) int {
	const words = "turnstile status"
	fs, config, asJSON := deviceFlags(e, words)
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	cfg, err := alone(ctx, *config)
	if err = errors.Join(noMore(rest), err); err != nil {
		return unable(e, words, err)
	}
	begun := time.Now()
	var out turnstileState
	err = devices.Turnstile(ctx, cfg.Turnstile, func(_ context.Context, t hal.Turnstile) error {
		s := t.Snapshot()
		out = turnstileState{Online: s.Online, Busy: s.Busy, Inputs: map[string]string{}, Millis: float64(time.Since(begun).Microseconds()) / 1000}
		for _, in := range hal.Inputs() {
			out.Inputs[in.String()] = s.Level(in).String()
		}
		return nil
	})
	if err != nil {
		return unable(e, words, err)
	}
	if *asJSON {
		err = lineEncoder(e).Encode(out)
	} else {
		for _, in := range hal.Inputs() {
			fmt.Fprintf(e.Out, "%-14s %s\n", in, out.Inputs[in.String()])
		}
		fmt.Fprintf(e.Err, "it answered after %.0f ms\n", out.Millis)
	}
	if err != nil {
		return unable(e, words, fmt.Errorf("write result: %w", err))
	}
	return exitDone
}

// eventLine is one line of watch.
type eventLine struct {
	Seq   uint64 `json:"seq"`
	Event string `json:"event"`
	Dir   string `json:"direction,omitempty"`
	Code  uint32 `json:"code,omitempty"`
	Raw   string `json:"raw_hex,omitempty"`
}

func lineOf(ev hal.Event) eventLine {
	l := eventLine{Seq: ev.Seq, Event: ev.Kind.String(), Code: ev.Code, Raw: fmt.Sprintf("%x", ev.Raw)}
	if ev.Dir.Valid() {
		l.Dir = ev.Dir.String()
	}
	return l
}

func runTurnstileWatch(ctx context.Context, e env, args []string) int {
	const words = "turnstile watch"
	fs, config, _ := deviceFlags(e, words)
	hold := fs.Duration("for", 0, "end after this time; 0: when it is stopped")
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	cfg, err := alone(ctx, *config)
	if err = errors.Join(noMore(rest), err); err != nil {
		return unable(e, words, err)
	}
	ctx, end := lasting(ctx, *hold)
	defer end()
	enc := lineEncoder(e)
	err = devices.Turnstile(ctx, cfg.Turnstile, func(ctx context.Context, t hal.Turnstile) error {
		for {
			select {
			case ev := <-t.Events():
				if err := enc.Encode(lineOf(ev)); err != nil {
					return fmt.Errorf("write result: %w", err)
				}
			case <-ctx.Done():
				return nil
			}
		}
	})
	if err != nil {
		return unable(e, words, err)
	}
	return exitDone
}

// lasting ends a context after a time, where one is given.
func lasting(ctx context.Context, hold time.Duration) (context.Context, context.CancelFunc) {
	if hold <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, hold)
}

func runCamera(ctx context.Context, e env, args []string) int {
	const words = "camera"
	fs := newFlags(e, words)
	config := fs.String("config", "", "the gate's configuration file")
	picture := fs.String("jpeg", "", "write the frame to this file; it may show a person")
	asJSON := fs.Bool("json", false, "print JSON")
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if len(rest) != 1 || rest[0] != "document" && rest[0] != "face" {
		return unable(e, words, errors.New("name one: gatectl camera document|face --config FILE [--jpeg FILE] [--json]"))
	}
	cfg, err := alone(ctx, *config)
	if err != nil {
		return unable(e, words, err)
	}
	c := cfg.Cameras.Document
	if rest[0] == "face" {
		c = cfg.Cameras.Face
	}
	f, err := grabFrame(ctx, cfg, c)
	if err == nil && *picture != "" {
		err = os.WriteFile(*picture, f.JPEG, 0o600)
	}
	dark := errors.Is(err, devices.ErrDark)
	if err != nil && !dark {
		return unable(e, words, err)
	}
	if *asJSON {
		err = lineEncoder(e).Encode(f)
	} else {
		_, err = fmt.Fprintf(e.Out, "%dx%d at %.1f frames a second, brightness %.0f of 255, sharpness %.0f\n", f.Width, f.Height, f.FPS, f.Brightness, f.Sharpness)
	}
	if err != nil {
		return unable(e, words, fmt.Errorf("write result: %w", err))
	}
	if dark {
		fmt.Fprintf(e.Err, "gatectl %s: %v\n", words, devices.ErrDark)
		return exitNegative
	}
	return exitDone
}

func grabFrame(ctx context.Context, cfg *configs.Gate, c configs.Camera) (devices.Frame, error) {
	program, err := findVision(cfg.Vision.Program)
	if err != nil {
		return devices.Frame{}, fmt.Errorf("find gatevision: %w (build it: make build)", err)
	}
	return devices.Camera(ctx, program, c)
}
