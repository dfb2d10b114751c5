package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"bordergate/cmd/gatectl/devices"
	"bordergate/configs"
	"bordergate/sync/vault"
)

// asked are the keys that only a person knows, in the order in which they are
// asked. The rest of the file has a default, or is found.
var asked = []struct{ key, question string }{
	{"gate.id", "the gate's id, the same as headquarters has"},
	{"gate.crossing", "the crossing's code, as passes name it"},
	{"gate.lane", "the lane's name at the crossing"},
	{"gate.direction", "the direction"},
	{"cameras.document.source", "the document camera"},
	{"cameras.face.source", "the face camera"},
	{"turnstile.port", "the turnstile's serial line"},
	{"turnstile.baud", "its speed"},
	{"turnstile.profile", "its board"},
	{"scanner.dialect", "a serial scanner beside the document camera"},
	{"hq.broker", "headquarters' broker"},
	{"hq.fingerprint", "the fingerprint of headquarters' root key"},
}

// initResult is what config init did.
type initResult struct {
	File   string          `json:"file"`
	Found  []devices.Found `json:"found"`
	Faults configs.Faults  `json:"faults"`
}

// runConfigInit ends with 1 where the file that it wrote still has faults.
func runConfigInit(ctx context.Context, e env, args []string) int {
	const words = "config init"
	fs := newFlags(e, words)
	out := fs.String("out", "", "file to write, such as /etc/bordergate/gate.yaml")
	answers := fs.String("answers", "", "file of answers, a \"key: value\" a line, instead of questions")
	force := fs.Bool("force", false, "replace the file if it is there")
	dev := fs.String("dev", "/dev", "folder of the devices")
	asJSON := fs.Bool("json", false, "print what was found and what is still wrong as JSON")
	given := map[string]string{}
	fs.Func("set", "an answer, as key=value; any number of them", func(s string) error {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("write key=value")
		}
		given[key] = value
		return nil
	})
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if *out == "" || len(rest) > 0 {
		return unable(e, words, errors.New("name the file: gatectl config init --out FILE [--answers FILE] [--set KEY=VALUE] [--force]"))
	}
	if _, err := os.Lstat(*out); err == nil && !*force {
		return unable(e, words, fmt.Errorf("%s is there already: name another, or replace it with --force", *out))
	}
	if err := readAnswers(*answers, given); err != nil {
		return unable(e, words, err)
	}
	found := lookAround(ctx, e, *dev)
	values := proposed(found, given)
	if *answers == "" && e.In != nil {
		if err := interview(e, values, given); err != nil {
			return unable(e, words, err)
		}
	}
	r, err := writeConfig(*out, values, *force)
	if err != nil {
		return unable(e, words, err)
	}
	r.Found = found
	return r.print(e, *asJSON)
}

// readAnswers adds a file's answers to those given as flags, which win.
func readAnswers(file string, given map[string]string) error {
	if file == "" {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("read answers: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return fmt.Errorf("read answers: %w", err)
	}
	var list map[string]yaml.Node
	if err := yaml.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("read answers: %w (a line each, such as gate.id: lane-1)", err)
	}
	for key, v := range list {
		if v.Kind != yaml.ScalarNode {
			return fmt.Errorf("read answers: %s is no single value (a line each, such as gate.id: lane-1)", key)
		}
		if _, ok := given[key]; !ok {
			given[key] = v.Value
		}
	}
	return nil
}

// lookAround finds what is plugged in and tries it. No barrier moves.
func lookAround(ctx context.Context, e env, dev string) []devices.Found {
	var look func(context.Context, string) (string, error)
	if program, err := findVision("gatevision"); err == nil {
		look = func(ctx context.Context, path string) (string, error) {
			c := configs.DefaultGate().Cameras.Document
			c.Source = path
			f, err := devices.Camera(ctx, program, c)
			return fmt.Sprintf("%dx%d at %.1f frames a second, brightness %.0f", f.Width, f.Height, f.FPS, f.Brightness), err
		}
	}
	found := devices.Look(ctx, dev, look)
	for _, f := range found {
		fmt.Fprintf(e.Err, "found %s: %s, %s\n", f.Path, f.Kind, f.Detail)
	}
	if len(found) == 0 {
		fmt.Fprintln(e.Err, "no serial device and no camera was found; their paths are asked for")
	}
	return found
}

// proposed are the values that were found, under those that were given.
func proposed(found []devices.Found, given map[string]string) map[string]string {
	out := map[string]string{}
	if b, ok := devices.First(found, devices.KindBoard); ok {
		out["turnstile.port"], out["turnstile.baud"] = b.Path, strconv.Itoa(b.Baud)
	}
	if s, ok := devices.First(found, devices.KindScanner); ok {
		out["scanner.port"], out["scanner.baud"], out["scanner.dialect"] = s.Path, strconv.Itoa(s.Baud), s.Dialect
	}
	var cameras []string
	for _, f := range found {
		if f.Kind == devices.KindCamera {
			cameras = append(cameras, f.Path)
		}
	}
	for i, key := range []string{"cameras.document.source", "cameras.face.source"} {
		if i < len(cameras) {
			out[key] = cameras[i]
		}
	}
	maps.Copy(out, given)
	return out
}

// interview asks what was not given. An answer that breaks a rule is asked for
// again, with the rule's own words; an empty one takes what is proposed.
func interview(e env, values, given map[string]string) error {
	keys, err := configs.GateKeys()
	if err != nil {
		return err
	}
	in := bufio.NewScanner(e.In)
	for _, q := range asked {
		if _, ok := given[q.key]; ok {
			continue
		}
		k, _, _ := configs.FindKey(keys, q.key)
		for {
			fmt.Fprintf(e.Err, "%s (%s) [%s]: ", q.question, k.Range(), values[q.key])
			if !in.Scan() {
				fmt.Fprintln(e.Err)
				return in.Err() // what was not answered is told by the check
			}
			answer := strings.TrimSpace(in.Text())
			if answer == "" {
				break
			}
			if f := faultOf(q.key, answer); f != nil {
				fmt.Fprintf(e.Err, "  that %s (%s)\n", f.Message, f.Hint)
				continue
			}
			values[q.key] = answer
			break
		}
	}
	return nil
}

// faultOf is what a rule has against a value.
func faultOf(key, value string) *configs.Fault {
	text, err := configs.FillGate(map[string]string{key: value})
	if err != nil {
		return &configs.Fault{Message: "cannot be written", Hint: err.Error()}
	}
	for _, f := range configs.CheckGate("gate.yaml", text) {
		if f.Path == key {
			return &f
		}
	}
	return nil
}

// writeConfig writes the file whole or not at all, readable by its group: the
// daemon's user is in it.
func writeConfig(out string, values map[string]string, force bool) (initResult, error) {
	text, err := configs.FillGate(values)
	if err != nil {
		return initResult{}, err
	}
	put := vault.CreateFile
	if force {
		put = vault.ReplaceFile
	}
	if err := put(out, []byte(text)); errors.Is(err, fs.ErrExist) {
		return initResult{}, fmt.Errorf("%s is there already: name another, or replace it with --force", out)
	} else if err != nil {
		return initResult{}, fmt.Errorf("write configuration: %w", err)
	}
	if err := os.Chmod(out, 0o640); err != nil {
		return initResult{}, fmt.Errorf("write configuration: %w", err)
	}
	return initResult{File: filepath.Clean(out), Faults: slices.Concat(configs.Faults{}, configs.CheckGate(out, text))}, nil
}

func (r initResult) print(e env, asJSON bool) int {
	if asJSON {
		if err := lineEncoder(e).Encode(r); err != nil {
			return unable(e, "config init", fmt.Errorf("write result: %w", err))
		}
	}
	for _, f := range r.Faults {
		fmt.Fprintf(e.Err, "still to do: %s\n", f.Error())
	}
	if len(r.Faults) > 0 {
		return exitNegative
	}
	fmt.Fprintf(e.Err, "%s is written and has no faults; next: gatectl identity init, then gatectl doctor --config %s\n", r.File, r.File)
	return exitDone
}
