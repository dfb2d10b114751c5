package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
)

func armCommands() []command {
	return []command{
		{words: "arm", summary: "have the gate release travellers from now on: --by SERVICE-ID; --off makes it a dry run again, --show only says how it is", run: runArm},
	}
}

// errNotRunning means that only a running gate can do it.
var errNotRunning = errors.New("gated does not run here: start it first (systemctl start gated)")

// runArm ends with 0 where the gate is armed, or was made a dry run on demand,
// and with 1 where --show finds it a dry run.
func runArm(ctx context.Context, e env, args []string) int {
	const words = "arm"
	f := newStateFlags(e, words)
	by := f.fs.String("by", "", "who does it: a service `id`, no name")
	off := f.fs.Bool("off", false, "a dry run again: it decides and records, and releases nobody")
	show := f.fs.Bool("show", false, "only say how it is")
	rest, status, ok := parseFlags(f.fs, args)
	if !ok {
		return status
	}
	cfg, err := f.load()
	switch {
	case err != nil:
		return unable(e, words, err)
	case cfg == nil || len(rest) > 0:
		return unable(e, words, errors.New("name the gate: gatectl arm --config FILE --by SERVICE-ID"))
	}
	c := newControlClient(cfg.Paths.Control)
	if !c.alive(ctx) {
		return unable(e, words, errNotRunning)
	}
	ask := c.get
	path := "/v1/armed"
	if !*show {
		ask = c.post
		path += "?" + url.Values{"on": {strconv.FormatBool(!*off)}, "by": {*by}}.Encode()
	}
	answer, err := ask(ctx, path)
	if err != nil {
		return unable(e, words, err)
	}
	if err := f.printDoc(e.Out, answer); err != nil {
		return unable(e, words, err)
	}
	if *show && !isArmed(answer) {
		return exitNegative
	}
	return exitDone
}

func isArmed(answer json.RawMessage) bool {
	var a struct {
		On bool `json:"armed"`
	}
	return json.Unmarshal(answer, &a) == nil && a.On
}
