package devices

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bordergate/configs"
	"bordergate/hal/port"
	"bordergate/hal/scanner"
	"bordergate/hal/turnstile"
	"bordergate/hal/turnstile/modbus"
)

// Kinds of what is found.
const (
	KindBoard   = "turnstile" // a Modbus board
	KindScanner = "scanner"
	KindCamera  = "camera"
	KindUnknown = "unknown" // it can be opened and does not answer
	KindClosed  = "closed"  // it cannot be opened
)

// Found is a device behind a path that stays the same.
type Found struct {
	Path    string `json:"path"`
	Kind    string `json:"kind"`
	Baud    int    `json:"baud,omitempty"`
	Dialect string `json:"dialect,omitempty"`
	Detail  string `json:"detail"`
}

// most bounds how many devices are tried.
const most = 16

// Paths lists the stable paths of serial lines and cameras below dev, which is
// /dev but in tests.
func Paths(dev string) (serial, cameras []string) {
	for _, pattern := range []string{"gate/*", "serial/by-path/*"} {
		serial = append(serial, existing(filepath.Join(dev, pattern))...)
	}
	for _, p := range existing(filepath.Join(dev, "v4l/by-path/*")) {
		// A camera's other nodes deliver no pictures.
		if strings.HasSuffix(p, "-video-index0") || !strings.Contains(filepath.Base(p), "-video-index") {
			cameras = append(cameras, p)
		}
	}
	return oncePerDevice(serial), oncePerDevice(cameras)
}

func existing(pattern string) []string {
	found, err := filepath.Glob(pattern)
	if err != nil {
		return nil
	}
	return found
}

// oncePerDevice keeps the first path of each device.
func oncePerDevice(paths []string) (out []string) {
	seen := map[string]bool{}
	for _, p := range paths {
		real, err := filepath.EvalSymlinks(p)
		if info, statErr := os.Stat(p); err != nil || statErr != nil || info.IsDir() || seen[real] || len(out) >= most {
			continue
		}
		seen[real] = true
		out = append(out, p)
	}
	return out
}

// Serial finds out what is at the end of a serial line. It only asks: readings
// of Modbus inputs, and scanners for their version. Nothing that is asked moves
// anything.
func Serial(ctx context.Context, path string, bauds []int) Found {
	f := Found{Path: path, Kind: KindUnknown, Detail: "it opens and answers neither as a board nor as a scanner"}
	for _, baud := range bauds {
		found, err := askBoard(ctx, path, baud)
		if err != nil {
			return Found{Path: path, Kind: KindClosed, Detail: err.Error()}
		}
		if found != "" {
			return Found{Path: path, Kind: KindBoard, Baud: baud, Detail: found}
		}
	}
	for _, baud := range bauds[:min(len(bauds), 2)] {
		for _, dialect := range []string{"honeywell", "zebra"} {
			if askScanner(ctx, path, dialect, baud) {
				return Found{Path: path, Kind: KindScanner, Baud: baud, Dialect: dialect, Detail: "it answers as a " + dialect + " scanner"}
			}
		}
	}
	return f
}

// Bauds are the speeds to ask at, likeliest first.
func Bauds() []int { return []int{115200, 9600, 19200, 38400, 57600} }

const (
	askWait     = 80 * time.Millisecond
	scannerWait = 400 * time.Millisecond
)

// askBoard reads inputs of unit 1 in both ways boards have them. An error means
// that the line cannot be opened.
func askBoard(ctx context.Context, path string, baud int) (string, error) {
	p, err := port.Open(port.Options{Path: path, Baud: baud, Parity: port.ParityNone})
	if err != nil {
		return "", err
	}
	defer p.Close()
	line := turnstile.NewLine(p, baud, askWait)
	bus := modbus.Bus{Line: line, Unit: 1}
	for _, fn := range []byte{modbus.ReadInputs, modbus.ReadInputRegs} {
		if _, err := bus.Read(ctx, fn, 0, 8, askWait); err == nil {
			return fmt.Sprintf("it answers as a Modbus board, unit 1, function %02d", fn), nil
		}
	}
	return "", nil
}

// askScanner asks one for its version.
func askScanner(ctx context.Context, path, dialect string, baud int) (answers bool) {
	ctx, cancel := context.WithTimeout(ctx, scannerWait)
	defer cancel()
	c := configs.DefaultGate().Scanner
	c.Dialect, c.Port, c.Baud = dialect, path, baud
	err := Scanner(ctx, c, func(_ context.Context, s *scanner.Scanner) error {
		answers = s.Health().Answered > 0 || s.Health().Online
		return nil
	})
	return err == nil && answers
}

// Look finds and tries all that is plugged in. Cameras are tried by look, which
// may be nil: then they are only listed.
func Look(ctx context.Context, dev string, look func(ctx context.Context, path string) (string, error)) []Found {
	serial, cameras := Paths(dev)
	out := []Found{}
	for _, p := range serial {
		out = append(out, Serial(ctx, p, Bauds()))
	}
	for _, p := range cameras {
		f := Found{Path: p, Kind: KindCamera, Detail: "not tried: gatevision is not here"}
		if look != nil {
			text, err := look(ctx, p)
			if f.Detail = text; err != nil {
				f.Kind, f.Detail = KindClosed, err.Error()
			}
		}
		out = append(out, f)
	}
	return out
}

// First is the first of a kind, and the rest of them.
func First(list []Found, kind string) (Found, bool) {
	i := slices.IndexFunc(list, func(f Found) bool { return f.Kind == kind })
	if i < 0 {
		return Found{}, false
	}
	return list[i], true
}
