package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"bordergate/configs"
)

func configCommands() []command {
	return []command{{
		words:   "config check",
		summary: "list every fault of a gate, headquarters or model file at once",
		run:     runConfigCheck,
	}, {
		words:   "config init",
		summary: "find and try the devices, ask the rest and write a gate's file",
		run:     runConfigInit,
	}, {
		words:   "config schema",
		summary: "print the JSON Schema of a gate's file, for editors",
		run:     runConfigSchema,
	}, {
		words:   "config diff",
		summary: "list the values in which two gates' files differ, defaults included",
		run:     runConfigDiff,
	}, {
		words:   "config explain",
		summary: "tell a key's value, where it comes from, its limits and what it is for",
		run:     runConfigExplain,
	}}
}

// runConfigCheck ends with 1 when a file has faults and with 2 when a file
// cannot be read at all.
func runConfigCheck(_ context.Context, e env, args []string) int {
	fs := newFlags(e, "config check")
	asJSON := fs.Bool("json", false, "print each fault as a JSON object on a line of standard output")
	kind := fs.String("kind", "auto", "what the file is: gate, hq, models, or auto to see by its keys")
	files, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if len(files) == 0 {
		return unable(e, "config check", errors.New("name at least one file: gatectl config check FILE [--json]"))
	}
	worst := exitDone
	for _, file := range files {
		faults, err := checkFile(file, *kind)
		if err != nil {
			return unable(e, "config check", err)
		}
		worst = max(worst, printFaults(e, file, faults, *asJSON))
	}
	return worst
}

// printFaults writes the faults of one file and returns what they mean for
// the exit status.
func printFaults(e env, file string, faults configs.Faults, asJSON bool) int {
	enc := json.NewEncoder(e.Out)
	enc.SetEscapeHTML(false)
	for _, f := range faults {
		if !asJSON {
			fmt.Fprintln(e.Err, f.Error())
		} else if err := enc.Encode(f); err != nil {
			return unable(e, "config check", fmt.Errorf("write faults: %w", err))
		}
	}
	switch {
	case len(faults) > 0 && faults[0].Line == 0: // it could not be read
		return exitUnable
	case len(faults) > 0:
		return exitNegative
	}
	fmt.Fprintf(e.Err, "%s: no faults\n", file)
	return exitDone
}

// checkFile loads one file as its kind.
func checkFile(file, kind string) (configs.Faults, error) {
	if kind == "auto" {
		kind = guessKind(file)
	}
	switch kind {
	case "gate":
		_, faults := configs.LoadGate(file)
		return faults, nil
	case "hq":
		_, faults := configs.LoadHQ(file)
		return faults, nil
	case "models":
		_, err := configs.LoadModels(file)
		faults, _ := errors.AsType[configs.Faults](err)
		return faults, nil
	}
	return nil, fmt.Errorf("no kind of file is called %q: gate, hq, models or auto", kind)
}

// guessKind tells the kinds apart by a key that only one of them has. What it
// cannot tell is taken for a gate's file, whose faults then say what is wrong.
func guessKind(file string) string {
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 {
		return "gate"
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "gate"
	}
	var top map[string]yaml.Node
	if yaml.Unmarshal(text, &top) != nil {
		return guessByName(file)
	}
	for key, kind := range map[string]string{"sources": "models", "thresholds": "models", "listen": "hq", "store": "hq"} {
		if _, ok := top[key]; ok {
			return kind
		}
	}
	return "gate"
}

// guessByName is the last resort for a file that is not YAML.
func guessByName(file string) string {
	for _, kind := range []string{"models", "hq"} {
		if strings.Contains(file, kind) {
			return kind
		}
	}
	return "gate"
}
